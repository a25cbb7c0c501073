"""Runs that began when books and answers were files go on with all that is in those."""

from __future__ import annotations

import io
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from rich.console import Console

from shared.errors import RestepError
from shared.store import TrajectoryStore
from trainer.experiment import Experiment
from trainer.folder import RunFolder
from trainer.recipe import load_recipe
from trainer.teacher.cache import AnswerCache
from trainer.teacher.ledger import Ledger, Purpose, Spending
from trainer.teacher.old_books import take_over

EVENTS = (
    "CREATE TABLE events (at REAL NOT NULL, collection TEXT NOT NULL, call TEXT NOT NULL, kind TEXT NOT NULL, "
    "cause TEXT NOT NULL, prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, cost REAL NOT NULL)"
)
ANSWERS = "CREATE TABLE answers (key TEXT PRIMARY KEY, answer TEXT NOT NULL) WITHOUT ROWID"
ANSWERED = (1.5, "reflected/house", "judge", "answered", "", 100, 10, 0.5)
FAILED = (2.5, "reflected/house", "judge", "failed", "timeout", 0, 0, 0.0)
SPENT = Spending(requests=1, failures={"timeout": 1}, prompt_tokens=100, completion_tokens=10, cost=0.5)


def make(path: Path, schema: str, insertion: str, rows: list[tuple[object, ...]]) -> None:
    """A file as a kill leaves it: what was written last stands beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name("made")
    with closing(sqlite3.connect(made, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(schema)
        connection.executemany(insertion, rows)
        for side in ("", "-wal"):
            shutil.copy(f"{made}{side}", f"{path}{side}")
    made.unlink()


def make_ledger(path: Path, *rows: tuple[object, ...]) -> None:
    make(path, EVENTS, "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", list(rows))


def make_old(folder: Path, answers: int = 2) -> None:
    make_ledger(folder / "teacher" / "ledger.db", ANSWERED, FAILED)
    make_ledger(folder / "golden.db", *[(*ANSWERED[:1], "golden/house", "golden", *ANSWERED[3:])] * 3)
    said: list[tuple[object, ...]] = [(f"k{number}", f"said {number}") for number in range(answers)]
    make(folder / "teacher" / "answers.db", ANSWERS, "INSERT INTO answers VALUES (?, ?)", said)


def test_all_that_is_in_the_files_is_in_the_store_and_is_read_once(place: str, tmp_path: Path) -> None:
    make_old(tmp_path, answers=1000)
    with TrajectoryStore(place) as store:
        for _ in range(2):
            take_over(tmp_path, store)
        teacher, golden = store.books("teacher"), store.books("golden")
        assert Ledger(teacher).spending() == SPENT
        assert (Ledger(golden).spending().requests, Ledger(golden).spending().tokens) == (3, 330)
        assert [AnswerCache(teacher).get(key) for key in ("k0", "k999")] == ["said 0", "said 999"]
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.db*")}
    assert files == {"golden.db.moved", "teacher/answers.db.moved", "teacher/ledger.db.moved"}


def test_a_kill_before_the_file_is_renamed_counts_nothing_twice(place: str, tmp_path: Path) -> None:
    with TrajectoryStore(place) as store:
        for _ in range(2):
            make_old(tmp_path)
            take_over(tmp_path, store)
            assert Ledger(store.books("teacher")).spending() == SPENT
            assert Ledger(store.books("golden")).spending().requests == 3


def test_files_of_two_machines_add_up_in_the_store_they_share(place: str, tmp_path: Path) -> None:
    make_ledger(tmp_path / "one" / "teacher" / "ledger.db", ANSWERED)
    make_ledger(tmp_path / "two" / "teacher" / "ledger.db", (1.75, *ANSWERED[1:]))
    with TrajectoryStore(place) as store:
        for machine in ("one", "two"):
            take_over(tmp_path / machine, store)
        assert Ledger(store.books("teacher")).spending().tokens == 220


def test_a_file_that_is_no_database_is_named_and_left(store: TrajectoryStore, tmp_path: Path) -> None:
    path = tmp_path / "golden.db"
    path.write_text("this is no database, and long enough to be seen as none by whoever looks at the header")
    with pytest.raises(RestepError, match=f"store_failed: {path}"):
        take_over(tmp_path, store)
    assert path.is_file()


async def test_an_experiment_that_goes_on_has_the_books_it_began_with(tmp_path: Path) -> None:
    recipe = load_recipe("demo")
    make_old(RunFolder.claim(recipe, tmp_path).path)
    async with Experiment(recipe, tmp_path, Console(file=io.StringIO())) as experiment:
        ledger = Ledger(experiment.store.books("teacher"))
        ledger.note(Purpose("reflected/house", "judge"), "cached")
        assert ledger.spending() == SPENT.model_copy(update={"cache_hits": 1})
