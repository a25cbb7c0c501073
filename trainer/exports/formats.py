"""Which format a file is written in, and the export of a collection to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Literal, get_args

from shared.errors import RestepError
from shared.store import TrajectoryStore
from shared.trajectory import Trajectory
from trainer.exports.flags import flagged_rows
from trainer.exports.parquet import document_rows, write_parquet
from trainer.exports.rows import Exported, Row, write_lines
from trainer.shipped import NAME

Format = Literal["jsonl", "trl", "axolotl", "ms-swift", "llama-factory", "parquet"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
_PARQUET: Final = ".parquet"


def choose_format(name: str | None, path: Path, checkpoint: str | None) -> Format:
    """The format that is named, or else the one that the end of the path says.

    Raises ``invalid_request`` for a name that there is not, and for a path or a checkpoint that is not for this format.
    """
    parquet = path.suffix == _PARQUET
    if name is None:
        name = "parquet" if parquet else "jsonl"
    if name not in FORMATS:
        raise RestepError("invalid_request", f"no format {name!r}; there are {', '.join(FORMATS)}")
    if parquet and name not in ("parquet", "trl"):
        raise RestepError("invalid_request", f"{path}: {name} is written as JSON lines, not as Parquet")
    if checkpoint is not None and name != "trl":
        raise RestepError("invalid_request", f"--checkpoint: {name} has no tokens; trl has")
    return name


def export_collection(
    store: TrajectoryStore, run: str, path: Path, form: Format, *, kept: bool | None, checkpoint: str | None = None
) -> Exported:
    """Write the trajectories of a run, one at a time; the file appears whole or not at all.

    ``checkpoint`` says whose tokens ``trl`` has, None the base that comes with restep. Raises ``data_not_found`` when there
    is nothing to train on, ``missing_extra``, ``store_failed``, and what the format's own rows raise.
    """
    if form == "jsonl":
        return Exported(written=store.export_jsonl(run, path, kept=kept))
    count = Exported()
    trajectories = store.trajectories(run, kept=kept)
    if form == "parquet":
        write_parquet(path, document_rows(trajectories, count), "trajectories")
    elif form != "trl":
        write_lines(path, _some(flagged_rows(trajectories, form, count), run))
    else:
        rows = _some(_labelled(trajectories, checkpoint or NAME, count), run)
        if path.suffix == _PARQUET:
            write_parquet(path, rows, "labels")
        else:
            write_lines(path, rows)
    return count


def _labelled(trajectories: Iterable[Trajectory], checkpoint: str, count: Exported) -> Iterator[Row]:
    try:
        from trainer.exports.labels import labelled_rows
    except ModuleNotFoundError as error:
        raise RestepError("missing_extra", f"{error.name} is not installed; pip install 'restep[train]'") from None
    return labelled_rows(trajectories, checkpoint, count)


def _some(rows: Iterator[Row], run: str) -> Iterator[Row]:
    """The rows, of which there must be one: a file that trains nothing helps nobody."""
    empty = True
    for row in rows:
        empty = False
        yield row
    if empty:
        raise RestepError("data_not_found", f"no trajectory of {run!r} has a step that would be trained")
