"""Where the members of a large JSON file lie in it, so that any one can be read without the others.

The full catalogue is one array of 5 GB, its instructions one object of 180 MB. Both hold objects that are small; one
pattern finds where each ends without building anything.
"""

from __future__ import annotations

import json
import mmap
import os
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from shared.errors import RestepError

_DEEPEST: Final = 8
_KEY: Final = rb'"(?:[^"\\]++|\\.)*+"'


def _object(depth: int) -> bytes:
    inner = rb"|" + _object(depth - 1) if depth else b""
    return rb'\{(?:[^{}"]++|' + _KEY + inner + rb")*+\}"


_ELEMENT: Final = re.compile(rb"[\s,\[]*+(?P<value>" + _object(_DEEPEST) + rb")", re.DOTALL)
_FIELD: Final = re.compile(rb"[\s,\{]*+(?P<key>" + _KEY + rb")\s*+:\s*+(?P<value>" + _object(_DEEPEST) + rb")", re.DOTALL)
_END: Final = re.compile(rb"[\s,]*[\]\}]\s*\Z|\s*[\[\{]\s*[\]\}]\s*\Z")
_RELEASE: Final = 1 << 26
"""So many bytes are read before their pages are given back."""


class Member(NamedTuple):
    """``key`` is "" in an array; the value is the file's bytes from ``begin`` to ``end``."""

    key: str
    begin: int
    end: int


def elements(path: Path) -> Iterator[Member]:
    """The objects of a file that is an array of objects, in order. Raises ``data_not_found``, ``data_corrupt``."""
    return _members(path, _ELEMENT)


def fields(path: Path) -> Iterator[Member]:
    """The fields of a file that is an object of objects, in order. Raises ``data_not_found``, ``data_corrupt``."""
    return _members(path, _FIELD)


def objects(path: Path) -> Iterator[dict[str, Any]]:
    """The same, read one after another. Raises ``data_not_found``, ``data_corrupt``."""
    slices = Slices(path)
    return (slices.read(member.begin, member.end) for member in elements(path))


class Slices:
    """Values by their place in a file. May be read from any thread."""

    def __init__(self, path: Path) -> None:
        """Raises ``data_not_found``."""
        self.path = path
        try:
            self._file = path.open("rb", buffering=0)
        except OSError as error:
            raise RestepError("data_not_found", f"{path}: {error.strerror or error}") from None

    def read(self, begin: int, end: int) -> Any:
        """The JSON value there. Raises ``data_corrupt``."""
        try:
            return loads(os.pread(self._file.fileno(), end - begin, begin))
        except (OSError, ValueError) as error:
            raise RestepError("data_corrupt", f"{self.path}: what is at byte {begin} cannot be read ({error})") from None


def loads(content: bytes) -> Any:
    """JSON as Python's ``json`` module takes it, which wrote the official files: NaN and lone surrogates are let pass."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return json.loads(content)


def _members(path: Path, pattern: re.Pattern[bytes]) -> Iterator[Member]:
    with _mapped(path) as content:
        at = released = 0
        while match := pattern.match(content, at):
            at = match.end()
            key = loads(match["key"]) if pattern is _FIELD else ""
            yield Member(key, *match.span("value"))
            if at - released > _RELEASE:
                released = at // mmap.PAGESIZE * mmap.PAGESIZE
                content.madvise(mmap.MADV_DONTNEED, 0, released)
        if not _END.match(content, at):
            raise RestepError("data_corrupt", f"{path}: no object where one should be, at byte {at} of {len(content)}")


@contextmanager
def _mapped(path: Path) -> Generator[mmap.mmap]:
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            yield content
    except OSError as error:
        raise RestepError("data_not_found", f"{path}: {error.strerror or error}") from None
    except ValueError:
        raise RestepError("data_corrupt", f"{path}: it is empty") from None
