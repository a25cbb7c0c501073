"""The games a server has, wherever they come from: packs, the official folder, archives of it, or those we made.

One folder may hold several packs; together they are one library. Without a data folder the embedded games are played.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from services.alfworld.archives import pack_games, tar_games
from services.alfworld.folder import NAME, GameFolder
from services.alfworld.index import Index
from services.alfworld.pack import SUFFIX, Pack
from services.alfworld.source import GameText
from shared.cache import cache_folder
from shared.dataset import Say
from shared.errors import RestepError
from shared.protocol import TaskInfo

log = logging.getLogger(__name__)

EMBEDDED: Final = Path(__file__).parent / "embedded" / f"games{SUFFIX}"
"""The games that come with restep."""


class GameSource(Protocol):
    """A place of games with its index."""

    @property
    def index(self) -> Index:
        """What is there."""
        ...

    def load(self, task_id: str) -> GameText:
        """One game. Raises ``unknown_task``, ``data_corrupt``."""
        ...


class GameLibrary:
    """All games of some sources; implements :class:`services.alfworld.source.Library`. Safe to share among threads."""

    def __init__(self, sources: Sequence[GameSource], origin: str) -> None:
        """``origin`` tells people where the games come from. Raises ``data_corrupt`` where two sources have the same game."""
        self.origin = origin
        self.index = sources[0].index if len(sources) == 1 else _union(sources)
        self._source = {task_id: source for source in sources for task_id in source.index.entries}
        self._version = self.index.data_version()

    @property
    def data_version(self) -> str:
        """First 16 hex digits of a SHA-256 of the content, the same for every layout of the same games."""
        return self._version

    def tasks(self, split: str | None = None, type: str | None = None) -> Sequence[TaskInfo]:
        """Tasks sorted by split and id. Raises ``unknown_split``."""
        return self.index.select(split, type)

    def splits(self) -> dict[str, int]:
        """Splits to their number of tasks."""
        return self.index.splits()

    def task(self, task_id: str) -> TaskInfo:
        """One task. Raises ``unknown_task``."""
        return self.index.task(task_id)

    def load(self, task_id: str) -> GameText:
        """The texts of one game, read anew each time. Raises ``unknown_task``, ``data_corrupt``."""
        self.index.task(task_id)
        return self._source[task_id].load(task_id)


def open_library(data: Path | None, *, cache: Path | None = None, say: Say = log.info, renew: bool = False) -> GameLibrary:
    """The library of ``<data>/alfworld``, or of the embedded games.

    Packs (``*.jsonl.xz``) are taken first, else the folder ``json_2.1.1``, else tar archives of it. The last two are
    read once, which takes seconds: ``say`` is told, and what was made of them is kept in ``cache`` (default:
    the user's) and used until the folders change, or ``renew`` is given.
    Raises ``data_not_found`` for a data folder that does not exist, ``data_corrupt``, ``data_not_written``.
    """
    if data is None:
        return embedded_library()
    if not data.is_dir():
        raise RestepError("data_not_found", f"{data}: no such folder")
    folder = data / "alfworld"
    kept = cache or cache_folder()
    if packs := sorted(folder.glob(f"*{SUFFIX}")):
        return GameLibrary([Pack(path) for path in packs], origin=", ".join(str(path) for path in packs))
    if (folder / NAME).is_dir():
        return GameLibrary([GameFolder.open(folder / NAME, kept, say, renew=renew)], origin=str(folder / NAME))
    if archives := sorted(folder.glob("*.tar*")):
        return GameLibrary([_unpacked(archives, kept, say)], origin=", ".join(str(path) for path in archives))
    say(f"{folder}: no games of ALFWorld (packs, {NAME} or archives); playing the embedded ones")
    return embedded_library()


def embedded_library() -> GameLibrary:
    """The games that come with restep."""
    return GameLibrary([Pack(EMBEDDED)], origin="embedded")


def _unpacked(archives: Sequence[Path], cache: Path, say: Say) -> Pack:
    """A pack of the archives, from the cache or made there. It is made anew when an archive changes."""
    state = "".join(f"{path.resolve()} {path.stat().st_size} {path.stat().st_mtime_ns}\n" for path in archives)
    path = cache / "alfworld" / "packs" / f"{hashlib.sha256(state.encode()).hexdigest()[:16]}{SUFFIX}"
    if path.exists():
        try:
            return Pack(path)
        except RestepError as error:
            say(f"{error.detail}; making it again")
    names = ", ".join(archive.name for archive in archives)
    say(f"packing {names} once, which takes half a minute")
    packed = pack_games(tar_games(archives), path, quick=True)
    for line in packed.damaged:
        say(line)
    say(f"{packed.games} games in {path}")
    return Pack(path)


def _union(sources: Sequence[GameSource]) -> Index:
    left_out = {task_id: reason for source in sources for task_id, reason in source.index.left_out.items()}
    return Index((entry for source in sources for entry in source.index.entries.values()), left_out)
