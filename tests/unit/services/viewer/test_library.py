"""Runs of a folder and of a shared store; one that fails is left alone for a while and hides nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.viewer.library import Library
from shared.errors import RestepError
from shared.store import TrajectoryStore
from tests.support.documents import make_trajectory


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def commit(path: Path, run: str) -> None:
    with TrajectoryStore(path) as store:
        store.commit(make_trajectory("a/1", run=run), kept=True)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    for name in ("one", "two", ".hidden", "empty"):
        (folder / name).mkdir(parents=True)
    commit(folder / "one" / "trajectories.db", "golden/sciworld")
    (folder / "two" / "recipe.json").write_text("{}")
    (folder / "file").touch()
    return folder


def test_a_run_is_a_folder_with_a_store_or_a_recipe(runs: Path) -> None:
    library = Library(runs, None)
    assert library.names() == ["one", "two"]
    with library.open("one") as run:
        assert list(run.shelf.summaries()) == ["golden/sciworld"]
    with library.open("two") as run:
        assert run.shelf.summaries() == {}
    for name in ("empty", "three", "..", "one/../two", "", "file"):
        with pytest.raises(RestepError) as caught, library.open(name):
            pass
        assert caught.value.code == "data_not_found"
    assert not (runs / "two" / "trajectories.db").exists()


def test_a_folder_that_is_none_is_a_clear_error(runs: Path) -> None:
    with pytest.raises(RestepError) as caught:
        Library(runs / "file", None).names()
    assert caught.value.code == "store_failed"


def test_a_shared_store_that_fails_is_asked_again_later(runs: Path, tmp_path: Path) -> None:
    clock = Clock()
    shared = tmp_path / "shared.db"
    library = Library(runs, f"sqlite:///{shared}", clock)
    assert library.names() == ["one", "two"]
    assert "there is no store" in str(library.trouble())
    commit(shared, "far/golden/webshop")
    assert library.names() == ["one", "two"]
    clock.now += 10
    assert library.names() == ["far", "one", "two"]
    assert library.trouble() is None
    with library.open("far") as run:
        assert run.files is None
        assert run.shelf.trajectory("golden/webshop", "a/1", 0).task.id == "a/1"
    shared.unlink()
    for suffix in ("-wal", "-shm"):
        shared.with_name(shared.name + suffix).unlink(missing_ok=True)
    assert library.names() == ["far", "one", "two"]  # for a moment
    clock.now += 1
    assert library.names() == ["one", "two"]
    assert library.trouble() is not None
    library.close()
    library.close()
