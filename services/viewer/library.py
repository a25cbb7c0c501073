"""Which runs there are: the folders below one folder, and the runs of a store that several share.

A run is found by comparing its name with what is there; no path is ever made from what a client sent.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
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


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run while it is looked into. ``files`` is None for one that is only in the shared store."""

    name: str
    files: RunFiles | None
    shelf: Shelf


class Library:
    """All runs. Methods block, and may be called from many threads."""

    def __init__(self, folder: Path, store: str | None) -> None:
        self._folder = folder
        self._url = store
        self._lock = threading.Lock()
        self._store: TrajectoryStore | None = None

    def names(self) -> list[str]:
        """Every run, by name."""
        return sorted({*self._folders(), *self._shared_names()})

    @contextmanager
    def open(self, name: str) -> Generator[OpenRun]:
        """Look into a run. Raises ``data_not_found``."""
        folder = self._folders().get(name)
        if folder is None and name not in self._shared_names():
            raise RestepError("data_not_found", "there is no such run")
        files = None if folder is None else RunFiles(folder)
        own = None if files is None else files.find(STORE_FILE)
        with open_shelf(name, own, self._shared()) as shelf:
            yield OpenRun(name, files, shelf)

    def trouble(self) -> str | None:
        """Why the shared store cannot be read, if it cannot."""
        try:
            self._shared_or_raise()
        except RestepError as error:
            return error.detail
        return None

    def close(self) -> None:
        """Close what is open. Idempotent."""
        with self._lock:
            store, self._store = self._store, None
        if store is not None:
            store.close()

    def _folders(self) -> dict[str, Path]:
        try:
            return {path.name: path for path in self._folder.iterdir() if _is_run(path)}
        except FileNotFoundError:
            return {}  # nothing was run yet
        except OSError as error:
            raise RestepError("store_failed", f"{self._folder}: {error.strerror}") from None

    def _shared_names(self) -> set[str]:
        store = self._shared()
        if store is None:
            return set()
        try:
            return {name.split("/", 1)[0] for name in store.runs() if "/" in name}
        except RestepError:
            return set()  # trouble() says why

    def _shared(self) -> TrajectoryStore | None:
        try:
            return self._shared_or_raise()
        except RestepError:
            return None

    def _shared_or_raise(self) -> TrajectoryStore | None:
        """The shared store, opened when it is first there."""
        with self._lock:
            if self._store is None and self._url is not None:
                self._store = TrajectoryStore(self._url, read_only=True)
            return self._store


def _is_run(path: Path) -> bool:
    return any((path / name).is_file() for name in (RECIPE_FILE, STORE_FILE))
