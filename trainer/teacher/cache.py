"""Answers of a model by what it was asked: the same question is paid once in a run, restarts included.

Only answers that could be used are kept, so that asking again after a bad one is a new chance.
"""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from shared.store import Books


def content_key(request: dict[str, Any]) -> str:
    """SHA-256 in hex of a request's canonical JSON: model, messages, schema and sampling, but not where it is sent."""
    return hashlib.sha256(orjson.dumps(request, option=orjson.OPT_SORT_KEYS)).hexdigest()


class AnswerCache:
    """Texts by :func:`content_key`, beside the books of who paid for them. Methods block, and raise ``store_failed``."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def get(self, key: str) -> str | None:
        """The answer, None where there is none."""
        return self._books.answer(key)

    def put(self, key: str, answer: str) -> str:
        """Keep an answer, and return the one that holds: the first stays, so that a question has one answer."""
        return self._books.keep(key, answer)
