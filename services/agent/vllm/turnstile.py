"""Admission to a server: how many are inside, and a moment in which nobody is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from services.agent.vllm.client import RETRY_AFTER
from shared.errors import RestepError


class Turnstile:
    """Lets ``limit`` requests in or queue; :meth:`closed` empties the room and keeps newcomers waiting before it."""

    def __init__(self, limit: int) -> None:
        self.inside = 0
        self._limit = limit
        self._waiting = 0
        self._open = asyncio.Event()
        self._open.set()
        self._empty = asyncio.Event()
        self._empty.set()

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """One request. Raises ``queue_full``."""
        if self.inside + self._waiting >= self._limit:
            raise RestepError("queue_full", f"{self.inside + self._waiting} requests are waiting", retry_after=RETRY_AFTER)
        self._waiting += 1
        try:
            while not self._open.is_set():
                await self._open.wait()
        finally:
            self._waiting -= 1
        self.inside += 1
        self._empty.clear()
        try:
            yield
        finally:
            self.inside -= 1
            if self.inside == 0:
                self._empty.set()

    @asynccontextmanager
    async def closed(self) -> AsyncGenerator[None]:
        """Wait until everybody inside has left; for the time of the block nobody enters."""
        self._open.clear()
        try:
            await self._empty.wait()
            yield
        finally:
            self._open.set()

    async def emptied(self) -> None:
        """Wait for a moment in which nobody is inside or before the door."""
        while self.inside or self._waiting:
            await self._empty.wait()
            await asyncio.sleep(0)
