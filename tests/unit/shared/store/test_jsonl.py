from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.errors import RestepError
from shared.store import Imported, TrajectoryStore
from shared.trajectory import load_trajectory
from tests.support.documents import make_trajectory


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TrajectoryStore]:
    with TrajectoryStore(tmp_path / "store.db") as opened:
        for index in range(3):
            for attempt in range(2):
                trajectory = make_trajectory(f"a/{index}", seed=attempt)
                opened.commit(trajectory, attempt=attempt, kept=attempt == 0 or index == 2)
        yield opened


def test_a_file_holds_one_readable_document_a_line(store: TrajectoryStore, tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    assert store.export_jsonl("run", path) == 4
    lines = path.read_bytes().splitlines()
    assert [load_trajectory(line) for line in lines] == list(store.trajectories("run", kept=True))
    assert store.export_jsonl("run", path, kept=None) == 6
    assert len(path.read_bytes().splitlines()) == 6


def test_a_run_comes_back_from_its_file_and_only_once(store: TrajectoryStore, tmp_path: Path) -> None:
    path, again = tmp_path / "run.jsonl", tmp_path / "again.jsonl"
    store.export_jsonl("run", path)
    with TrajectoryStore(tmp_path / "other.db") as other:
        assert other.import_jsonl(path, "copy") == Imported(added=4, already_there=0, torn=False)
        assert other.import_jsonl(path, "copy") == Imported(added=0, already_there=4, torn=False)
        assert [t.id for t in other.trajectories("copy", kept=True)] == [t.id for t in store.trajectories("run", kept=True)]
        assert {trajectory.run for trajectory in other.trajectories("copy")} == {"copy"}
        assert other.finished("copy") == {("a/0", 0), ("a/1", 0), ("a/2", 0), ("a/2", 1)}
        other.export_jsonl("copy", again)
    assert path.read_bytes().replace(b'"run":"run"', b'"run":"copy"') == again.read_bytes()


def test_an_import_goes_beside_what_is_there(store: TrajectoryStore, tmp_path: Path) -> None:
    path = tmp_path / "more.jsonl"
    known, new = make_trajectory("a/0", seed=1), make_trajectory("a/0", seed=9)
    path.write_bytes(b"\n".join([known.dumps(), new.dumps(), b""]))
    assert store.import_jsonl(path, "run", kept=False) == Imported(added=1, already_there=1, torn=False)
    assert store.trajectory("run", "a/0", attempt=2) == new
    assert new not in list(store.trajectories("run", kept=True))


def test_equal_episodes_stay_as_many_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "twice.jsonl"
    path.write_bytes((make_trajectory().dumps() + b"\n") * 2)
    with TrajectoryStore(tmp_path / "other.db") as store:
        assert store.import_jsonl(path, "run") == Imported(added=2, already_there=0, torn=False)
        assert store.import_jsonl(path, "run") == Imported(added=0, already_there=2, torn=False)


@pytest.mark.parametrize("cut", [1, 20, 300])
def test_a_torn_last_line_is_left_out_and_reported(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "torn.jsonl"
    path.write_bytes(make_trajectory("a/1").dumps() + b"\n" + make_trajectory("a/2").dumps()[:-cut])
    with TrajectoryStore(tmp_path / "other.db") as store:
        assert store.import_jsonl(path, "run") == Imported(added=1, already_there=0, torn=True)


def test_a_whole_last_line_needs_no_newline(tmp_path: Path) -> None:
    path = tmp_path / "whole.jsonl"
    path.write_bytes(make_trajectory("a/1").dumps() + b"\n" + make_trajectory("a/2").dumps())
    with TrajectoryStore(tmp_path / "other.db") as store:
        assert store.import_jsonl(path, "run") == Imported(added=2, already_there=0, torn=False)


@pytest.mark.parametrize("bad", [b'{"schema":1}\n', b"half a li\n", make_trajectory().dumps().replace(b"a room", b"a zoom")])
def test_a_damaged_line_is_named_and_nothing_is_imported(tmp_path: Path, bad: bytes) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(make_trajectory("a/1").dumps() + b"\n" + bad)
    with TrajectoryStore(tmp_path / "other.db") as store:
        with pytest.raises(RestepError, match="line 2") as caught:
            store.import_jsonl(path, "run")
        assert caught.value.code == "invalid_trajectory"
        assert store.runs() == []


def test_a_missing_file_and_a_wrong_folder_are_named(store: TrajectoryStore, tmp_path: Path) -> None:
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(RestepError) as caught:
            store.import_jsonl(path, "run")
        assert caught.value.code == "data_not_found"
        assert str(path) in caught.value.detail
    with pytest.raises(RestepError) as caught:
        store.export_jsonl("run", tmp_path / "none" / "run.jsonl")
    assert caught.value.code == "store_failed"


def test_a_file_is_replaced_and_never_rewritten(store: TrajectoryStore, tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text("the old export")
    with path.open() as reader:
        store.export_jsonl("run", path)
        assert reader.read() == "the old export"
    assert len(path.read_bytes().splitlines()) == 4


def test_a_failed_export_leaves_the_old_file(store: TrajectoryStore, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    path = folder / "run.jsonl"
    path.write_text("the old export")
    broken = make_trajectory("z/1")
    store.commit(broken, kept=True)
    with sqlite3.connect(tmp_path / "store.db") as other:
        other.execute("UPDATE restep_episodes SET document = '{}' WHERE task_id = 'z/1'")
    other.close()
    with pytest.raises(RestepError) as caught:
        store.export_jsonl("run", path)
    assert caught.value.code == "invalid_trajectory"
    assert path.read_text() == "the old export"
    assert os.listdir(folder) == ["run.jsonl"]
