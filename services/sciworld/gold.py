"""The engine's own solutions, kept on disk.

The engine finds a solution by playing the task through, which takes seconds and, for genetics, most of half a
minute; a solution never changes while package and identity hash stay the same, so each is found once a machine.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

import orjson

from services.sciworld.jvm import SCIENCEWORLD_VERSION
from services.sciworld.simulator import Simulator
from shared.cache import cache_folder, replacing

log = logging.getLogger(__name__)

KEY: Final = f"scienceworld-{SCIENCEWORLD_VERSION}-hash2"
"""Part of every path: solutions of another engine are not found."""


class GoldPaths:
    """Solutions from the start of an episode, by (task, variation, simplification)."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = (folder or cache_folder()) / "sciworld" / "gold" / KEY

    def find(self, task: str, variation: int, simplification: str) -> tuple[str, ...] | None:
        """A solution known already, or None. A few microseconds; from any thread."""
        try:
            actions = orjson.loads(self._path(task, variation, simplification).read_bytes())
        except (OSError, orjson.JSONDecodeError):  # absent, unreadable or damaged: found anew
            return None
        return tuple(actions)

    def get(self, simulator: Simulator, task: str, variation: int, simplification: str) -> tuple[str, ...]:
        """The solution, found with ``simulator`` (which is then anywhere) if it is not known. On the shard's thread."""
        known = self.find(task, variation, simplification)
        if known is not None:
            return known
        actions = tuple(simulator.gold(task, variation, simplification))
        self._keep(self._path(task, variation, simplification), actions)
        return actions

    def _path(self, task: str, variation: int, simplification: str) -> Path:
        return self._folder / task / f"{variation}{'-' if simplification else ''}{simplification}.json"

    def _keep(self, path: Path, actions: tuple[str, ...]) -> None:
        """Write under another name, then rename: readers see all of it or nothing. A cache that cannot be written is none."""
        try:
            with replacing(path) as file:
                file.write(orjson.dumps(actions))
        except OSError as error:
            log.warning("gold path not cached: %s", error)
