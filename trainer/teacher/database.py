"""How the small databases of a run are opened: what was asked of a model and what it said must survive a kill."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import RestepError


class Database:
    """One SQLite file. Its statements take microseconds and are made on the event loop, beside seconds of waiting."""

    def __init__(self, path: Path, schema: str) -> None:
        """Folders above are made. Raises ``store_failed``."""
        self._path = path
        with self._told():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute(schema)

    def close(self) -> None:
        """Idempotent."""
        self._connection.close()

    def execute(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """The rows of a statement, which is committed at once. Raises ``store_failed``."""
        with self._told():
            return self._connection.execute(statement, values).fetchall()

    @contextmanager
    def _told(self) -> Generator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise RestepError("store_failed", f"{self._path}: {error}") from None
