"""Parquet, for Hugging Face datasets and whatever else reads it: trajectories column by column, or rows of tokens.

The columns follow from the trajectory schema: ``task.id`` is ``task_id``, ``outcome.success`` is ``outcome_success``,
and ``steps`` a list of structures. What has keys of its own choosing (a session's options, what a judge answered) has
no columns and stays a JSON text. ``provenances`` comes on top, to select by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import reduce
from itertools import islice
from operator import getitem
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

import orjson
from pydantic import BaseModel

from shared.errors import RestepError
from shared.files import whole_file
from shared.trajectory import Trajectory, load_trajectory
from trainer.exports.rows import Exported, Row

Layout = Literal["trajectories", "labels"]
_ROWS_AT_ONCE: Final = 256
"""What is held in memory, and a row group of the file."""
_PROVENANCES: Final = "provenances"


def write_parquet(path: Path, rows: Iterable[Row], layout: Layout) -> None:
    """Write :func:`document_rows`, or rows of ``labels``. Raises ``missing_extra``, ``store_failed``, ``data_not_written``."""
    arrow, parquet = _arrow()
    schema = arrow.schema(_document_fields(arrow) if layout == "trajectories" else _label_fields(arrow))
    rest = iter(rows)
    with whole_file(path) as file, parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        while batch := list(islice(rest, _ROWS_AT_ONCE)):
            try:
                table = arrow.Table.from_pylist(batch, schema=schema)
            except (arrow.ArrowInvalid, OverflowError) as error:
                raise RestepError("data_not_written", f"{path}: {error}") from None
            writer.write_table(table)


def document_rows(trajectories: Iterable[Trajectory], count: Exported) -> Iterator[Row]:
    """Whole trajectories, one a row; ``count`` is kept up to date."""
    columns = _columns(Trajectory)
    for trajectory in trajectories:
        body = trajectory.model_dump(mode="json", by_alias=True)
        row = {name: _converted(kind, reduce(getitem, keys, body), _json) for name, (keys, kind) in columns.items()}
        count.written += 1
        yield {**row, _PROVENANCES: list(dict.fromkeys(step.provenance for step in trajectory.steps))}


def trajectory_of(row: Mapping[str, Any]) -> Trajectory:
    """The trajectory of a row, to the last digit. Raises ``invalid_trajectory`` for a row that was not written so."""
    body: dict[str, Any] = {}
    try:
        for name, (keys, kind) in _columns(Trajectory).items():
            *above, last = keys
            reduce(lambda inner, key: inner.setdefault(key, {}), above, body)[last] = _converted(kind, row[name], orjson.loads)
    except KeyError as error:
        raise RestepError("invalid_trajectory", f"no column {error.args[0]!r}") from None
    except orjson.JSONDecodeError as error:
        raise RestepError("invalid_trajectory", f"not JSON: {error}") from None
    return load_trajectory(body)


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise RestepError("missing_extra", f"{error.name} is not installed; pip install 'restep[parquet]'") from None
    return pyarrow, parquet


def _columns(model: type[BaseModel], above: tuple[str, ...] = ()) -> dict[str, tuple[tuple[str, ...], Any]]:
    """Of each column the keys that lead to its value in a document, and the value's type."""
    columns: dict[str, tuple[tuple[str, ...], Any]] = {}
    for name, kind in _fields(model).items():
        keys = (*above, name)
        columns |= _columns(kind, keys) if _is_model(kind) else {"_".join(keys): (keys, kind)}
    return columns


def _document_fields(arrow: Any) -> list[Any]:
    fields = [arrow.field(name, _arrow_type(arrow, kind)) for name, (_, kind) in _columns(Trajectory).items()]
    return [*fields, arrow.field(_PROVENANCES, arrow.list_(arrow.string()))]


def _label_fields(arrow: Any) -> list[Any]:
    return [arrow.field(name, arrow.list_(arrow.int32())) for name in ("input_ids", "labels")]


def _arrow_type(arrow: Any, kind: Any) -> Any:
    kind = _present(kind)
    if _is_model(kind):
        return arrow.struct([(name, _arrow_type(arrow, inner)) for name, inner in _fields(kind).items()])
    if get_origin(kind) is list:
        return arrow.list_(_arrow_type(arrow, get_args(kind)[0]))
    if get_origin(kind) in (Literal, dict):
        return arrow.string()
    return {str: arrow.string(), int: arrow.int64(), float: arrow.float64(), bool: arrow.bool_()}[kind]


def _converted(kind: Any, value: Any, free: Callable[[Any], Any]) -> Any:
    """A value with ``free`` applied to every part of it whose keys are free."""
    kind = _present(kind)
    if value is None:
        return None
    if _is_model(kind):
        return {name: _converted(inner, value[name], free) for name, inner in _fields(kind).items()}
    if get_origin(kind) is list:
        return [_converted(get_args(kind)[0], one, free) for one in value]
    return free(value) if get_origin(kind) is dict else value


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _present(kind: Any) -> Any:
    """The type of a value that is not None."""
    if get_origin(kind) not in (Union, UnionType):
        return kind
    (present,) = (inner for inner in get_args(kind) if inner is not NoneType)
    return present


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
