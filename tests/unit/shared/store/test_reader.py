"""A store that is only read: nothing of it changes, nobody waits for it, and what is no store is a clear error."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

import pytest

from shared.errors import RestepError
from shared.store import STORE_VERSION, TrajectoryStore
from tests.support.documents import make_trajectory


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with TrajectoryStore(tmp_path / "store.db") as store:
        store.commit(make_trajectory("a/1"), kept=True)
    return tmp_path / "store.db"


def refused(path: Path, code: str) -> str:
    with pytest.raises(RestepError) as caught:
        TrajectoryStore(path, read_only=True)
    assert caught.value.code == code
    assert "\n" not in caught.value.detail
    return caught.value.detail


def test_reading_changes_no_byte_and_leaves_no_file(path: Path) -> None:
    before = hashlib.sha256(path.read_bytes()).digest()
    with TrajectoryStore(path, read_only=True) as store:
        assert store.finished("run") == {("a/1", 0)}
        assert store.trajectory("run", "a/1") == make_trajectory("a/1")
        assert list(path.parent.iterdir()) == [path]
    assert hashlib.sha256(path.read_bytes()).digest() == before
    assert list(path.parent.iterdir()) == [path]


def test_writing_is_refused(path: Path) -> None:
    with TrajectoryStore(path, read_only=True) as store, pytest.raises(RestepError) as caught:
        store.commit(make_trajectory("a/2"), kept=True)
    assert caught.value.code == "store_failed"
    assert "read" in caught.value.detail


def test_a_writer_neither_waits_nor_is_waited_for(path: Path) -> None:
    with TrajectoryStore(path, busy_timeout=0.0) as writer, TrajectoryStore(path, read_only=True) as reader:
        seen = reader.trajectories("run")
        next(seen)
        assert writer.commit(make_trajectory("a/2"), kept=True)
        assert reader.finished("run") == {("a/1", 0), ("a/2", 0)}
        busy = sqlite3.connect(path, isolation_level=None)
        busy.execute("BEGIN IMMEDIATE")
        assert reader.counts("run").finished == 2
        busy.close()


def test_no_store_is_made(tmp_path: Path) -> None:
    assert "there is no store" in refused(tmp_path / "absent.db", "data_not_found")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "empty.db").touch()
    refused(tmp_path / "empty.db", "store_failed")
    (tmp_path / "text.db").write_text("no database" * 100)
    refused(tmp_path / "text.db", "store_failed")
    assert (tmp_path / "empty.db").read_bytes() == b""


def test_a_newer_store_is_refused(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE restep_store SET version = ?", (STORE_VERSION + 1,))
    connection.close()
    assert "upgrade" in refused(path, "store_failed")


def test_a_name_with_marks_of_an_address_is_only_a_name(tmp_path: Path) -> None:
    odd = tmp_path / "a?mode=rwc&b#c%20.db"
    with TrajectoryStore(odd) as store:
        store.commit(make_trajectory("a/1"), kept=True)
    with TrajectoryStore(odd, read_only=True) as store:
        assert store.runs() == ["run"]
