"""A collection in every format: what is kept or all of it, in one file, whole or not there."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from pyarrow import parquet

from shared.store import TrajectoryStore
from tests.support.refusal import refusal
from tests.support.tiny_model import tiny_checkpoint
from tests.support.trajectories import Said, sample, trajectory
from trainer.exports.formats import FORMATS, Format, choose_format, export_collection
from trainer.exports.parquet import trajectory_of
from trainer.exports.rows import Exported

FLAGGED: tuple[Format, ...] = ("axolotl", "ms-swift", "llama-factory")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TrajectoryStore]:
    """Two trajectories for training and one that is not, all of one collection."""
    with TrajectoryStore(tmp_path / "store.db") as opened:
        for kept, attempt, one in zip((True, True, False), (0, 0, 1), sample(), strict=True):
            opened.commit(one, attempt=attempt, kept=kept)
        yield opened


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_checkpoint(tmp_path_factory.mktemp("tiny")))


def write(
    store: TrajectoryStore, path: Path, form: Format, tiny: str, *, kept: bool | None = True, run: str = "test"
) -> Exported:
    return export_collection(store, run, path, form, kept=kept, checkpoint=tiny if form == "trl" else None)


def rows(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return cast("list[dict[str, Any]]", parquet.read_table(path).to_pylist())
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


@pytest.mark.parametrize(
    ("form", "name"),
    [*((form, "out.jsonl") for form in FORMATS if form != "parquet"), ("parquet", "out.parquet"), ("trl", "out.parquet")],
)
@pytest.mark.parametrize(("kept", "expected"), [(True, 2), (None, 3)])
def test_every_format_has_a_row_for_each_that_is_asked_for(
    form: Format, name: str, kept: bool | None, expected: int, store: TrajectoryStore, out: Path, tiny: str
) -> None:
    count = write(store, out / name, form, tiny, kept=kept)
    assert (count.written, count.untrained, count.cut) == (expected, 0, 0)
    assert len(rows(out / name)) == expected
    assert os.listdir(out) == [name]


def test_the_order_is_the_stores_in_every_format(store: TrajectoryStore, out: Path, tiny: str) -> None:
    expected = [one.id for one in store.trajectories("test")]
    for form in ("jsonl", *FLAGGED):
        write(store, out / form, form, tiny, kept=None)
        assert [row["id"] for row in rows(out / form)] == expected
    write(store, out / "out.parquet", "parquet", tiny, kept=None)
    assert [trajectory_of(row).id for row in rows(out / "out.parquet")] == expected


def test_rows_of_tokens_are_the_same_in_either_file(store: TrajectoryStore, out: Path, tiny: str) -> None:
    write(store, out / "out.jsonl", "trl", tiny)
    write(store, out / "out.parquet", "trl", tiny)
    assert rows(out / "out.jsonl") == rows(out / "out.parquet")
    assert {tuple(row) for row in rows(out / "out.jsonl")} == {("input_ids", "labels")}


@pytest.mark.parametrize("form", FORMATS)
def test_a_damaged_trajectory_leaves_the_old_file_and_nothing_else(
    form: Format, store: TrajectoryStore, out: Path, tiny: str, tmp_path: Path
) -> None:
    path = out / "file"
    path.write_text("the old export")
    with sqlite3.connect(tmp_path / "store.db") as other:
        other.execute("UPDATE restep_episodes SET document = '{}' WHERE task_id = 'melt/0'")
    other.close()
    with refusal("invalid_trajectory"):
        write(store, path, form, tiny)
    assert path.read_text() == "the old export"
    assert os.listdir(out) == ["file"]


@pytest.mark.parametrize("form", ["trl", *FLAGGED])
def test_a_file_that_would_train_nothing_is_not_written(form: Format, store: TrajectoryStore, out: Path, tiny: str) -> None:
    nothing = trajectory([Said("error", "Thought: a\nAction: b")])
    store.commit(nothing.model_copy(update={"run": "errors"}).sealed(), kept=False)
    with refusal("data_not_found") as caught:
        write(store, out / "file", form, tiny, kept=None, run="errors")
    assert "errors" in caught.value.detail
    assert os.listdir(out) == []


@pytest.mark.parametrize(
    ("name", "path", "expected"),
    [
        (None, "a.jsonl", "jsonl"),
        (None, "a", "jsonl"),
        (None, "a.json", "jsonl"),
        (None, "a.parquet", "parquet"),
        ("trl", "a.parquet", "trl"),
        ("axolotl", "a.jsonl", "axolotl"),
        ("parquet", "a", "parquet"),
    ],
)
def test_the_format_is_what_is_named_or_what_the_path_says(name: str | None, path: str, expected: Format) -> None:
    assert choose_format(name, Path(path), None) == expected


@pytest.mark.parametrize(
    ("name", "path", "checkpoint", "told"),
    [
        ("json", "a.jsonl", None, "no format 'json'; there are jsonl, trl, axolotl, ms-swift, llama-factory, parquet"),
        ("axolotl", "a.parquet", None, "axolotl is written as JSON lines"),
        ("jsonl", "a.parquet", None, "jsonl is written as JSON lines"),
        (None, "a.jsonl", "base", "--checkpoint: jsonl has no tokens"),
        ("ms-swift", "a.jsonl", "base", "--checkpoint: ms-swift has no tokens"),
    ],
)
def test_what_does_not_go_together_is_refused(name: str | None, path: str, checkpoint: str | None, told: str) -> None:
    with refusal("invalid_request") as caught:
        choose_format(name, Path(path), checkpoint)
    assert told in caught.value.detail


def test_messages_and_documents_need_no_pytorch() -> None:
    heavy = {"torch", "transformers", "pyarrow"}
    program = f"import sys, trainer.cli, trainer.exports.formats; print(sorted({heavy} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_without_transformers_rows_of_tokens_name_the_extra(
    store: TrajectoryStore, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    monkeypatch.delitem(sys.modules, "trainer.exports.labels", raising=False)
    monkeypatch.delitem(sys.modules, "trainer.checkpoint", raising=False)
    with refusal("missing_extra") as caught:
        export_collection(store, "test", out / "file", "trl", kept=True)
    assert "restep[train]" in caught.value.detail
    assert os.listdir(out) == []
