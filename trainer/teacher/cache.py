"""Answers of a model by what it was asked: the same question is paid once in a run, restarts included.

Only answers that could be used are kept, so that asking again after a bad one is a new chance.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final, Self

import orjson

from trainer.teacher.database import Database

_SCHEMA: Final = "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT NOT NULL) WITHOUT ROWID"


def content_key(request: dict[str, Any]) -> str:
    """SHA-256 in hex of a request's canonical JSON: model, messages, schema and sampling, but not where it is sent."""
    return hashlib.sha256(orjson.dumps(request, option=orjson.OPT_SORT_KEYS)).hexdigest()


class AnswerCache:
    """Texts by :func:`content_key`, in one file."""

    def __init__(self, path: Path) -> None:
        """Raises ``store_failed``."""
        self._database = Database(path, _SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def get(self, key: str) -> str | None:
        """The answer, None where there is none."""
        rows = self._database.execute("SELECT answer FROM answers WHERE key = ?", key)
        return str(rows[0][0]) if rows else None

    def put(self, key: str, answer: str) -> None:
        """Keep an answer; one that is there already stays, so that a question has one answer."""
        self._database.execute("INSERT OR IGNORE INTO answers VALUES (?, ?)", key, answer)
