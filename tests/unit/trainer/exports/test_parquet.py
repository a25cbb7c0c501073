"""Parquet holds whole trajectories: what is read back is what was written, by whatever reads it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import datasets
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from shared.trajectory import Trajectory
from tests.support.documents import make_trajectory, trajectories
from tests.support.refusal import refusal
from tests.support.trajectories import sample
from trainer.exports.parquet import document_rows, trajectory_of, write_parquet
from trainer.exports.rows import Exported


def write(path: Path, documents: list[Trajectory]) -> Path:
    count = Exported()
    write_parquet(path, document_rows(documents, count), "trajectories")
    assert count.written == len(documents)
    return path


def read(path: Path) -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", parquet.read_table(path).to_pylist())


def has_errors(row: Mapping[str, Any]) -> bool:
    return "error" in row["provenances"]


@given(st.lists(trajectories(), max_size=3))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_trajectory_comes_back_to_the_last_digit(tmp_path: Path, documents: list[Trajectory]) -> None:
    found = [trajectory_of(row) for row in read(write(tmp_path / "out.parquet", documents))]
    assert found == documents
    assert [one.dumps() for one in found] == [one.dumps() for one in documents]


def test_hugging_face_datasets_read_it_and_it_comes_back(tmp_path: Path) -> None:
    documents = [*sample(), make_trajectory()]
    path = write(tmp_path / "out.parquet", documents)
    loaded: Any = datasets.load_dataset("parquet", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    assert [trajectory_of(row) for row in loaded] == documents
    erring = loaded.filter(has_errors, load_from_cache_file=False)
    assert erring["id"][:] == [documents[0].id, documents[2].id]
    assert [step["loss"] for step in loaded[2]["steps"]] == [0.0, 1.0, 1.0]


def test_columns_to_select_by_have_types(tmp_path: Path) -> None:
    path = write(tmp_path / "out.parquet", [make_trajectory(f"a/{n}", score=n / 4, success=n == 3) for n in range(4)])
    schema = cast("Any", parquet.read_schema(path))
    types = {name: str(schema.field(name).type) for name in schema.names}
    assert types["task_id"] == types["environment_name"] == types["run"] == types["outcome_ended"] == "string"
    assert (types["outcome_success"], types["outcome_score"], types["outcome_steps"]) == ("bool", "double", "int64")
    assert types["steps"].startswith("list<")
    assert {name for name, kind in types.items() if name.startswith("protocol") and kind != "string"} == {"protocol_max_steps"}
    table = cast("Any", parquet.read_table(path, columns=["task_id"], filters=[("outcome_score", ">=", 0.5)]))
    assert table.column("task_id").to_pylist() == ["a/2", "a/3"]


def test_more_than_one_group_of_rows_is_one_file(tmp_path: Path) -> None:
    documents = [make_trajectory(f"a/{n}") for n in range(600)]
    path = write(tmp_path / "out.parquet", documents)
    assert cast("Any", parquet.ParquetFile(path)).num_row_groups == 3
    assert [trajectory_of(row).task.id for row in read(path)] == [one.task.id for one in documents]


def test_a_number_that_no_column_holds_is_refused_and_the_old_file_stands(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    path.write_text("the old export")
    with refusal("data_not_written") as caught:
        write(path, [make_trajectory(seed=2**63)])
    assert str(path) in caught.value.detail
    assert path.read_text() == "the old export"
    assert os.listdir(tmp_path) == ["out.parquet"]


def test_a_row_of_another_table_is_refused(tmp_path: Path) -> None:
    (row,) = read(write(tmp_path / "out.parquet", [make_trajectory()]))
    with refusal("invalid_trajectory") as caught:
        trajectory_of({name: value for name, value in row.items() if name != "seed"})
    assert "seed" in caught.value.detail
    with refusal("invalid_trajectory"):
        trajectory_of({**row, "outcome_score": 0.5})
    with refusal("invalid_trajectory"):
        trajectory_of({**row, "protocol_options": "{"})


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with refusal("missing_extra") as caught:
        write_parquet(tmp_path / "out.parquet", [], "trajectories")
    assert "restep[parquet]" in caught.value.detail
    assert os.listdir(tmp_path) == []
