"""Work in flight: bounded, finished even when the client that asked has gone, and waited for at shutdown.

A step belongs to its session, not to the connection that carried it; so it runs in a task of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from shared.errors import RestepError

T = TypeVar("T")

_RETRY_AFTER = 1.0


class Work:
    """Counts and keeps what runs. ``pending`` is the number of steps (or calls of like weight) queued or running."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.pending = 0
        self.draining = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closings: set[asyncio.Task[Any]] = set()

    def admit(self) -> None:
        """Count one more step. Raises ``draining`` or ``queue_full``; who admits must :meth:`release`."""
        if self.draining:
            raise RestepError("draining", retry_after=_RETRY_AFTER)
        if self.pending >= self.limit:
            raise RestepError("queue_full", f"{self.limit} steps are queued or running", retry_after=_RETRY_AFTER)
        self.pending += 1

    def release(self, count: int = 1) -> None:
        """The admitted steps have ended."""
        self.pending -= count

    def spawn(self, coroutine: Coroutine[Any, Any, T], *, closing: bool = False) -> asyncio.Task[T]:
        """Run beside the caller; the task is kept until it ends. ``closing`` gives something back: never cancelled."""
        task = asyncio.create_task(coroutine)
        (self._closings if closing else self._tasks).add(task)
        task.add_done_callback(self._ended)
        return task

    async def run(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Admit, run to the end whatever becomes of the caller, and answer."""
        self.admit()
        return await asyncio.shield(self.spawn(self._counted(make())))

    async def _counted(self, coroutine: Coroutine[Any, Any, T]) -> T:
        try:
            return await coroutine
        finally:
            self.release()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._closings.discard(task)
        if not task.cancelled():
            task.exception()  # its caller may have gone: then nobody else retrieves it

    async def drained(self, timeout: float) -> bool:
        """Wait until nothing runs, or for ``timeout`` seconds. True when all has ended."""
        running = self._tasks | self._closings
        if running:
            await asyncio.wait(running, timeout=timeout)
        return not self._tasks and not self._closings

    def cancel(self) -> None:
        """Cancel what is left; for shutdown after the drain."""
        for task in self._tasks:
            task.cancel()
