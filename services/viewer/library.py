"""Which runs there are: the folders below one folder, and the runs of a store that several share.

A run is found by comparing its name with what is there; no path is ever made from what a client sent.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.viewer.files import RunFiles
from services.viewer.shelf import Shelf, open_shelf
from shared.errors import RestepError
from shared.store import TrajectoryStore

STORE_FILE: Final = "trajectories.db"
RECIPE_FILE: Final = "recipe.json"
_PAUSE: Final = 10.0
"""Seconds for which a shared store that failed is not asked again: no page waits for it more than once."""
_FRESH: Final = 1.0
"""Seconds for which the names in a shared store are remembered: a page over many runs asks for them once."""


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run while it is looked into. ``files`` is None for one that is only in the shared store."""

    name: str
    files: RunFiles | None
    shelf: Shelf


class Library:
    """All runs. Methods block, and may be called from many threads."""

    def __init__(self, folder: Path, store: str | None, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` is monotonic, in seconds."""
        self._folder = folder
        self._url = store
        self._clock = clock
        self._lock = threading.Lock()
        self._store: TrajectoryStore | None = None
        self._failure: RestepError | None = None
        self._known: set[str] = set()
        self._until = float("-inf")

    def folders(self) -> dict[str, Path]:
        """The runs of the folder, by name. Raises ``store_failed``."""
        try:
            return {path.name: path for path in self._folder.iterdir() if _is_run(path)}
        except FileNotFoundError:
            return {}  # nothing was run yet
        except OSError as error:
            raise RestepError("store_failed", f"{self._folder}: {error.strerror}") from None

    def names(self) -> list[str]:
        """Every run, by name."""
        return sorted({*self.folders(), *self._shared_names()})

    @contextmanager
    def open(self, name: str) -> Generator[OpenRun]:
        """Look into a run. Raises ``data_not_found``."""
        folder, is_shared = self.folders().get(name), name in self._shared_names()
        if folder is None and not is_shared:
            raise RestepError("data_not_found", "there is no such run")
        files = None if folder is None else RunFiles(folder)
        own = None if files is None else files.find(STORE_FILE)
        with open_shelf(name, own, self._store if is_shared else None) as shelf:
            yield OpenRun(name, files, shelf)

    def trouble(self) -> str | None:
        """Why the shared store cannot be read, if it cannot."""
        self._shared_names()
        return None if self._failure is None else self._failure.detail

    def close(self) -> None:
        """Close what is open. Idempotent."""
        with self._lock:
            store, self._store = self._store, None
        if store is not None:
            store.close()

    def _shared_names(self) -> set[str]:
        """Runs of the shared store, which is opened when it is first there; none while it fails."""
        with self._lock:
            if self._url is None or self._clock() < self._until:
                return self._known
            try:
                if self._store is None:
                    self._store = TrajectoryStore(self._url, read_only=True, patience=0.0)
                self._known = {name.split("/", 1)[0] for name in self._store.runs() if "/" in name}
                self._failure, self._until = None, self._clock() + _FRESH
            except RestepError as error:
                self._known, self._failure, self._until = set(), error, self._clock() + _PAUSE
            return self._known


def _is_run(path: Path) -> bool:
    return any((path / name).is_file() for name in (RECIPE_FILE, STORE_FILE))
