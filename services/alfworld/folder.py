"""The official folder layout, ``<split>/<task folder>/<trial folder>/``, read through an index.

Its thousands of files are read once; the index then lies in the user's cache and is made again when folders were added
or taken away. A changed file is noticed when it is loaded, by its digest.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

import orjson

from services.alfworld.game_file import GAME, TRAJECTORY, LeftOut, check_folder, digest, goal_of, parse_game
from services.alfworld.index import Entry, Index
from services.alfworld.source import GameText
from shared.cache import replacing
from shared.dataset import Say
from shared.errors import RestepError

NAME: Final = "json_2.1.1"
"""What the benchmark's download calls the folder, whatever version its games have."""

_VERSION: Final = 1


class GameFolder:
    """Games in a folder. :meth:`load` may be called from any thread."""

    def __init__(self, root: Path, index: Index) -> None:
        self._root = root
        self.index = index

    @classmethod
    def open(cls, root: Path, cache: Path, say: Say, *, renew: bool = False) -> GameFolder:
        """With the index from ``cache``; where there is none or a stale one it is made (seconds) and ``say`` is told.

        ``renew`` makes it in any case. Raises ``data_not_found`` where the folder cannot be read. A cache that cannot be
        written costs only time.
        """
        try:
            stamp = _stamp(root)
        except OSError as error:
            raise RestepError("data_not_found", f"{root}: {error.strerror or error}") from None
        path = index_path(root, cache)
        known = "a new index is asked for" if renew else _read_index(path, stamp)
        if isinstance(known, Index):
            return cls(root, known)
        say(f"{root}: {known}; reading all its games once, which takes some seconds")
        index = _make_index(root)
        try:
            with replacing(path) as file:
                file.write(_index_bytes(index, stamp))
        except OSError as error:
            say(f"{path}: {error.strerror or error}; the index cannot be kept, the next start makes it again")
        else:
            say(f"{root}: {len(index.entries)} games, index in {path}")
        return cls(root, index)

    def load(self, task_id: str) -> GameText:
        """One game, in about a millisecond. Raises ``unknown_task``, ``data_corrupt``."""
        self.index.task(task_id)
        entry = self.index.entries[task_id]
        if entry.damage:
            raise RestepError("data_corrupt", entry.damage)
        game = _read_game(self._root, task_id)
        if isinstance(game, LeftOut) or digest(game) != entry.digest:
            raise RestepError(
                "data_corrupt", f"game {task_id}: its files changed since they were read; `restep data check` reads them anew"
            )
        return game


def index_path(root: Path, cache: Path) -> Path:
    """Where the index of a folder is kept."""
    name = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:16]
    return cache / "alfworld" / "index" / f"{name}.json"


def game_ids(root: Path) -> Iterator[str]:
    """Task ids of all folders that may hold a game, of the benchmark or not. Raises ``OSError``."""
    for split in _folders(root):
        for task in _folders(Path(split.path)):
            for trial in _folders(Path(task.path)):
                yield f"{split.name}/{task.name}/{trial.name}"


def _make_index(root: Path) -> Index:
    entries: list[Entry] = []
    left_out: dict[str, str] = {}
    for task_id in game_ids(root):
        try:
            game = check_folder(task_id) or _read_game(root, task_id)
        except RestepError as error:
            entries.append(Entry(task_id, "", "", damage=error.detail))
            continue
        if isinstance(game, LeftOut):
            left_out[task_id] = game.reason
        else:
            entries.append(Entry(task_id, goal_of(game.grammar, task_id), digest(game)))
    return Index(entries, left_out)


def _read_game(root: Path, task_id: str) -> GameText | LeftOut:
    folder = root / task_id
    try:
        game = (folder / GAME).read_bytes()
    except FileNotFoundError:
        return LeftOut(f"it has no {GAME}")
    except OSError as error:
        raise RestepError("data_corrupt", f"game {task_id}: {GAME}: {error.strerror or error}") from None
    try:
        trajectory = (folder / TRAJECTORY).read_bytes()
    except FileNotFoundError:
        trajectory = None
    except OSError as error:
        raise RestepError("data_corrupt", f"game {task_id}: {TRAJECTORY}: {error.strerror or error}") from None
    return parse_game(task_id, game, trajectory)


def _stamp(root: Path) -> str:
    """Changes with every folder added, renamed or taken away: names and times of splits' task folders. Milliseconds."""
    seen = hashlib.sha256()
    for split in _folders(root):
        for task in _folders(Path(split.path)):
            seen.update(f"{split.name}/{task.name} {task.stat().st_mtime_ns}\n".encode())
    return seen.hexdigest()


def _folders(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as found:
        return sorted((entry for entry in found if entry.is_dir()), key=lambda entry: entry.name)


def _index_bytes(index: Index, stamp: str) -> bytes:
    games = [[entry.task_id, entry.goal, entry.digest, entry.damage] for entry in index.entries.values()]
    return orjson.dumps({"version": _VERSION, "stamp": stamp, "games": games, "left_out": index.left_out})


def _read_index(path: Path, stamp: str) -> Index | str:
    """The kept index, or why there is none to use."""
    try:
        content: object = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return "no index yet"
    except (OSError, orjson.JSONDecodeError):
        return "its index cannot be read"
    fields = cast("dict[str, Any]", content) if isinstance(content, dict) else {}
    if fields.get("version") != _VERSION:
        return "its index is of another version"
    if fields.get("stamp") != stamp:
        return "its folders changed since the index was made"
    try:
        return Index((Entry(*game) for game in fields["games"]), fields["left_out"])
    except (KeyError, TypeError):
        return "its index cannot be read"
