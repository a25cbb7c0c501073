"""Books and answers that restep once kept in files of a run's folder, brought into the run's store when it goes on.

A file is renamed once all of it is there. Until then it may be read again, by others beside too: an event that is in
the books stays as it is, and so does an answer.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import orjson

from shared.errors import RestepError
from shared.store import Books, Entry, TrajectoryStore
from trainer.teacher.ledger import GOLDEN, TEACHER

MOVED: Final = ".moved"
_AT_ONCE: Final = 400

Row = tuple[Any, ...]


def take_over(folder: Path, store: TrajectoryStore) -> None:
    """Bring what is in the files of a run's folder into its store. Raises ``store_failed``."""
    for name, query, books, keep in (
        ("teacher/ledger.db", _EVENTS, TEACHER, _enter),
        ("teacher/answers.db", _ANSWERS, TEACHER, Books.keep_all),
        ("golden.db", _EVENTS, GOLDEN, _enter),
    ):
        if (path := folder / name).is_file():
            _move(path, query, store.books(books), keep)


_EVENTS: Final = (
    "SELECT rowid, at, collection, call, kind, cause, prompt_tokens, completion_tokens, cost FROM events ORDER BY rowid"
)
_ANSWERS: Final = "SELECT key, answer FROM answers ORDER BY key"


def _move(path: Path, query: str, books: Books, keep: Callable[[Books, list[Row]], None]) -> None:
    try:
        for rows in _read(path, query):
            keep(books, rows)
        with suppress(FileNotFoundError):  # another process was as far
            path.rename(path.with_name(path.name + MOVED))
    except (OSError, sqlite3.Error) as error:
        if path.is_file():
            raise RestepError("store_failed", f"{path}: {error}") from None


def _read(path: Path, query: str) -> Iterator[list[Row]]:
    """So many rows at a time. Opened for writing, because what a kill left beside the file has to be read too."""
    with closing(sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=rw", uri=True)) as connection:
        found = connection.execute(query)
        while rows := found.fetchmany(_AT_ONCE):
            yield rows


def _enter(books: Books, rows: list[Row]) -> None:
    """Events are known by all that they are, so that those of two machines' files are told apart."""
    books.enter_all({hashlib.sha256(orjson.dumps(row)).hexdigest(): Entry(*row[1:]) for row in rows})
