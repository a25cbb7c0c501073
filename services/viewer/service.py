"""The viewer without HTTP: its library and what is counted about it. There is nothing to load, and nothing to drain."""

from __future__ import annotations

from services.viewer.library import Library
from services.viewer.settings import ViewerSettings
from shared.protocol import Health


class ViewerService:
    """One library of runs."""

    def __init__(self, settings: ViewerSettings) -> None:
        self.library = Library(settings.runs, settings.store)
        self.logins = 0
        self.logins_refused = 0

    def begin(self) -> None:
        """Nothing has to be loaded: runs are read when they are asked for."""

    async def started(self) -> None:
        """At once."""

    async def stop(self) -> None:
        """Close what is open."""
        self.library.close()

    async def drain(self) -> None:
        """A page takes no longer than its answer, which the server waits for."""

    def ready(self) -> Health:
        """For the readiness probe. Raises ``store_failed`` for a folder of runs that cannot be read.

        A shared store is not asked: without it the folder can still be looked at, and a probe must not wait.
        """
        return Health(detail={"runs": len(self.library.folders())})
