"""Where the engine's solutions are dug up: a shard of its own, started when a solution is first missing.

Finding one is a single call into the engine that may take half a minute; on a shard with live episodes all of them
would wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from services.sciworld.gold import GoldPaths
from services.sciworld.scratch import Origin
from services.sciworld.shard import Shard


class Mine:
    """Solutions by origin, from the store or from the engine."""

    def __init__(self, store: GoldPaths, spare: Callable[[], Shard]) -> None:
        self._store = store
        self._spare = spare
        self._shard: Shard | None = None
        self._lock = asyncio.Lock()

    async def dig(self, origin: Origin) -> tuple[str, ...]:
        """The engine's own solution. Raises ``engine_failed``, EngineLost."""
        known = self._store.find(origin.task, origin.variation, origin.simplification)
        if known is not None:
            return known
        async with self._lock:
            if self._shard is None:
                shard = self._spare()
                await shard.start()
                self._shard = shard
            return await self._shard.run(self._find, self._shard, origin)

    async def close(self) -> None:
        """End the shard, if there is one. Idempotent."""
        shard, self._shard = self._shard, None
        if shard is not None:
            await shard.stop()

    def _find(self, shard: Shard, origin: Origin) -> tuple[str, ...]:
        """On the shard's thread."""
        simulator = shard.acquire()
        try:
            return self._store.get(simulator, origin.task, origin.variation, origin.simplification)
        finally:
            shard.release(simulator)
