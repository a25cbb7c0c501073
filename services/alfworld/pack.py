"""All games in one small file, any of them quickly: xz-compressed JSON lines, in chunks that are unpacked alone.

The file is a row of xz streams, so ``xzcat`` shows its lines. The first stream is one line, the header: the index, the
texts that games share (domains, and grammars with the task sentence left open) and the length of every chunk. The other
streams hold one line a game, games of one room together, because they are the most alike.
"""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import orjson

from services.alfworld.game_file import TASK_PREFIX, digest, goal_of
from services.alfworld.index import Entry, Index
from services.alfworld.source import GameText
from shared.cache import replacing
from shared.errors import RestepError

SUFFIX: Final = ".jsonl.xz"
FORMAT: Final = "restep-alfworld-games"
VERSION: Final = 1
CHUNK_BYTES: Final = 600_000
"""Least size of a chunk before compression. Unpacking goes at some 700 MB/s: about a millisecond for any game."""

_OPEN: Final = TASK_PREFIX + "UNKNOWN GOAL."
_SMALL: Final = 9 | lzma.PRESET_EXTREME
_QUICK: Final = 3
_BLOCK: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class _Place:
    chunk: int
    line: int


class PackWriter:
    """Takes games in any order and writes them at once; holds each compressed, about 10 kB."""

    def __init__(self, notice: str = "") -> None:
        """``notice`` is a line about origin and licence that stays with the file."""
        self._notice = notice
        self._domains: dict[str, int] = {}
        self._grammars: dict[str, int] = {}
        self._lines: dict[str, bytes] = {}
        self._entries: dict[str, Entry] = {}

    def add(self, game: GameText) -> None:
        """Take one game. Raises ``data_corrupt`` where its grammar has no task sentence, or its id is there already."""
        if game.task_id in self._entries:
            raise RestepError("data_corrupt", f"game {game.task_id} is there twice")
        goal = goal_of(game.grammar, game.task_id)
        opened = game.grammar.replace(goal, _OPEN, 1)
        undoable = opened.replace(_OPEN, goal, 1) == game.grammar
        shared = opened if undoable else game.grammar
        line = {
            "id": game.task_id,
            "goal": goal,
            "domain": self._domains.setdefault(game.domain, len(self._domains)),
            "grammar": self._grammars.setdefault(shared, len(self._grammars)),
            "open": undoable,
            "problem": game.problem,
            "walkthrough": game.walkthrough,
            "annotations": game.annotations,
        }
        self._lines[game.task_id] = zlib.compress(orjson.dumps(line), 1)
        self._entries[game.task_id] = Entry(game.task_id, goal, digest(game))

    def write(self, path: Path, left_out: Mapping[str, str] | None = None, *, quick: bool = False) -> None:
        """Write everything taken to ``path``, whole or not at all. Raises ``data_not_written``.

        ``quick`` takes a tenth of the time and a quarter more space: for what is only kept in a cache.
        """
        preset = _QUICK if quick else _SMALL
        chunks: list[bytes] = []
        games: list[list[list[str]]] = []
        for ids in self._chunks():
            text = b"".join(zlib.decompress(self._lines[task_id]) + b"\n" for task_id in ids)
            chunks.append(_compress(text, preset))
            games.append([[task_id, self._entries[task_id].goal, self._entries[task_id].digest] for task_id in ids])
        header = {
            "format": FORMAT,
            "version": VERSION,
            "notice": self._notice,
            "domains": list(self._domains),
            "grammars": list(self._grammars),
            "chunks": [len(chunk) for chunk in chunks],
            "games": games,
            "left_out": dict(left_out or {}),
        }
        try:
            with replacing(path) as file:
                file.write(_compress(orjson.dumps(header) + b"\n", preset))
                file.writelines(chunks)
        except OSError as error:
            raise RestepError("data_not_written", f"{path}: {error.strerror or error}") from None

    def _chunks(self) -> Iterable[list[str]]:
        """Ids in chunks, games of a room side by side."""
        ids: list[str] = []
        size = 0
        for task_id in sorted(self._lines, key=_room):
            ids.append(task_id)
            size += len(zlib.decompress(self._lines[task_id]))
            if size >= CHUNK_BYTES:
                yield ids
                ids, size = [], 0
        if ids:
            yield ids


class Pack:
    """A written pack. Nothing but the header is held; :meth:`load` may be called from any thread."""

    def __init__(self, path: Path) -> None:
        """Read the header, some tens of milliseconds for thousands of games. Raises ``data_not_found``, ``data_corrupt``."""
        self.path = path
        try:
            size = path.stat().st_size
            header, begin = _read_header(path)
        except OSError as error:
            raise RestepError("data_not_found", f"{path}: {error.strerror or error}") from None
        try:
            self._fill(header, begin)
        except (KeyError, TypeError, ValueError):
            raise RestepError("data_corrupt", f"{path}: its header is incomplete") from None
        if size != self._end:
            raise RestepError("data_corrupt", f"{path}: {size} bytes where its header says {self._end}; it was cut or changed")

    def _fill(self, header: Mapping[str, Any], begin: int) -> None:
        self.notice = str(header["notice"])
        self._domains: list[str] = [str(text) for text in header["domains"]]
        self._grammars: list[str] = [str(text) for text in header["grammars"]]
        self._chunks: list[tuple[int, int]] = []
        for length in header["chunks"]:
            self._chunks.append((begin, int(length)))
            begin += int(length)
        self._end = begin
        self._places: dict[str, _Place] = {}
        entries: list[Entry] = []
        for chunk, games in enumerate(header["games"]):
            for line, (task_id, goal, checksum) in enumerate(games):
                self._places[task_id] = _Place(chunk, line)
                entries.append(Entry(task_id, goal, checksum))
        self.index = Index(entries, header["left_out"])

    def load(self, task_id: str) -> GameText:
        """One game, in about a millisecond. Raises ``unknown_task``, ``data_corrupt``."""
        self.index.task(task_id)
        place = self._places[task_id]
        begin, length = self._chunks[place.chunk]
        try:
            with self.path.open("rb") as file:
                file.seek(begin)
                lines = lzma.decompress(file.read(length)).split(b"\n", place.line + 1)
            return self._game(orjson.loads(lines[place.line]), task_id)
        except OSError as error:
            raise RestepError("data_corrupt", f"{self.path}: {error.strerror or error}") from None
        except (lzma.LZMAError, KeyError, IndexError, TypeError, ValueError) as error:
            raise RestepError("data_corrupt", f"{self.path}: game {task_id} cannot be unpacked ({error})") from None

    def _game(self, line: Mapping[str, Any], task_id: str) -> GameText:
        if line["id"] != task_id:
            raise RestepError("data_corrupt", f"{self.path}: game {line['id']} where {task_id} should be")
        walkthrough = line["walkthrough"]
        domain, grammar = self._domains[int(line["domain"])], self._grammars[int(line["grammar"])]
        return GameText(
            task_id=task_id,
            domain=domain,
            grammar=grammar.replace(_OPEN, line["goal"], 1) if line["open"] else grammar,
            problem=line["problem"],
            walkthrough=None if walkthrough is None else tuple(walkthrough),
            annotations=tuple(line["annotations"]),
        )


def _room(task_id: str) -> tuple[int, str]:
    """Games of a floor plan first by its number, the last part of a task folder's name."""
    number = task_id.split("/")[1].rsplit("-", 1)[-1]
    return (int(number) if number.isascii() and number.isdigit() else -1, task_id)


def _compress(text: bytes, preset: int) -> bytes:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": preset, "dict_size": 1 << 22, "lc": 4, "pb": 0}]
    return lzma.compress(text, format=lzma.FORMAT_XZ, check=lzma.CHECK_CRC64, filters=filters)


def _read_header(path: Path) -> tuple[Mapping[str, Any], int]:
    """The header and the offset behind it. Raises ``data_corrupt``, ``OSError``."""
    unpacker = lzma.LZMADecompressor(format=lzma.FORMAT_XZ)
    parts: list[bytes] = []
    read = 0
    try:
        with path.open("rb") as file:
            while not unpacker.eof:
                block = file.read(_BLOCK)
                if not block:
                    raise RestepError("data_corrupt", f"{path}: it ends within its header; it was cut")
                read += len(block)
                parts.append(unpacker.decompress(block))
        header: object = orjson.loads(b"".join(parts))
    except (lzma.LZMAError, orjson.JSONDecodeError):
        raise RestepError("data_corrupt", f"{path}: not a pack of games") from None
    if not isinstance(header, dict) or cast("dict[str, Any]", header).get("format") != FORMAT:
        raise RestepError("data_corrupt", f"{path}: not a pack of games")
    fields = cast("dict[str, Any]", header)
    if fields.get("version") != VERSION:
        raise RestepError("data_corrupt", f"{path}: version {fields.get('version')} of the format; this restep reads {VERSION}")
    return fields, read - len(unpacker.unused_data)
