"""What can go wrong with a store that is a file: no room, locks, damage."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from shared.errors import RestepError
from shared.store import TrajectoryStore
from tests.support.documents import make_trajectory
from tests.support.refusal import refusal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


_FILL_THE_DISK = """
import resource, sys
from tests.support.documents import make_trajectory
from shared.errors import RestepError
from shared.store import TrajectoryStore
store = TrajectoryStore(sys.argv[1])
if len(sys.argv) > 2:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
done = 0
try:
    for done in range(10**6):
        store.commit(make_trajectory(f"a/{done:06}"), kept=True)
except RestepError as error:
    sys.stdout.write(f"{done}|{error.code}|{error.detail}")
"""


def _fill(path: Path, *limit: str) -> None:
    """Commit until the disk is full, then check the message and that every commit before it is there."""
    command = [sys.executable, "-c", _FILL_THE_DISK, str(path), *limit]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    done, code, detail = output.split("|")
    assert code == "store_failed"
    assert str(path) in detail
    assert "\n" not in detail
    assert int(done) > 10
    copy = path.parent.with_name(path.parent.name + "-copy")
    copy.mkdir()
    for file in path.parent.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    with TrajectoryStore(copy / path.name) as store:
        assert [t.task.id for t in store.trajectories("run")] == [f"a/{index:06}" for index in range(int(done))]
        assert store.commit(make_trajectory("space again"), kept=True)


def test_a_file_that_may_not_grow_loses_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "limited"
    folder.mkdir()
    _fill(folder / "store.db", "300000")


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a small disk needs privileges")
    try:
        _fill(folder / "store.db")
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_locked_store_says_so_and_recovers(path: Path) -> None:
    with TrajectoryStore(path, busy_timeout=0.05) as store:
        store.commit(make_trajectory("a/1"), kept=True)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with refusal() as caught:
            store.commit(make_trajectory("a/2"), kept=True)
        assert "locked" in caught.value.detail
        with refusal():
            store.fail("run", "a/3", 0, RestepError("internal"))
        assert store.finished("run") == {("a/1", 0)}
        other.execute("ROLLBACK")
        other.close()
        assert store.commit(make_trajectory("a/2"), kept=True)


def test_a_read_only_store_can_be_read_but_not_written(path: Path) -> None:
    with TrajectoryStore(path) as store:
        store.commit(make_trajectory(), kept=True)
    with TrajectoryStore(f"sqlite:///file:{path}?mode=ro&uri=true") as store:
        assert store.finished("run") == {("find-plant/1", 0)}
        with refusal() as caught:
            store.commit(make_trajectory("a/2"), kept=True)
        assert "readonly" in caught.value.detail


def test_damage_is_reported(path: Path) -> None:
    path.write_bytes(b"This is no database at all. " * 100)
    with refusal() as caught:
        TrajectoryStore(path)
    assert str(path) in caught.value.detail


def test_a_truncated_store_is_reported(path: Path) -> None:
    with TrajectoryStore(path) as store:
        for index in range(50):
            store.commit(make_trajectory(f"a/{index}"), kept=True)
    path.write_bytes(path.read_bytes()[:8192])
    with refusal(), TrajectoryStore(path) as store:
        list(store.trajectories("run"))


def test_a_document_changed_behind_our_back_is_reported(path: Path) -> None:
    with TrajectoryStore(path) as store:
        store.commit(make_trajectory(), kept=True)
    with sqlite3.connect(path) as other:
        other.execute("UPDATE restep_episodes SET document = replace(document, 'a room', 'a zoom')")
    other.close()
    with refusal("invalid_trajectory"), TrajectoryStore(path) as store:
        list(store.trajectories("run"))
