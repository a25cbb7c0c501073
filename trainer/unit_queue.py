"""The units of a run as one process draws them from the store: claimed, kept by a heartbeat, handed in or given back.

Any number of processes may draw from one run. Each holds no more than it plays; what it holds is another's once it has
died. The one that finds nothing to do stays until nobody else can leave it something.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final, Self

from shared.errors import RestepError
from shared.store import TrajectoryStore, UnitKey, new_owner
from shared.trajectory import Trajectory

_BEATS_IN_A_LEASE: Final = 4
"""So that three may be missed, to a busy machine or a store that starts again."""
_LONGEST_WAIT: Final = 1.0
"""Seconds between two looks at what others have left."""


class UnitQueue:
    """Units of one run for at most ``slots`` players at once. Use as an async context manager: it gives back what is held.

    Every method raises ``store_failed``.
    """

    def __init__(self, store: TrajectoryStore, run: str, *, slots: int, tries: int, seconds: float) -> None:
        self._store, self._run = store, run
        self._slots, self._tries, self._seconds = slots, tries, seconds
        self._owner = new_owner()
        self._claiming = asyncio.Lock()
        self._ready: deque[UnitKey] = deque()
        self._held: set[UnitKey] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.shield(asyncio.to_thread(self._store.release, self._run, self._owner))

    async def plan(self, units: Sequence[UnitKey]) -> None:
        """Make ``units`` the work of the run. Raises ``invalid_recipe`` where another process works on others."""
        await asyncio.to_thread(self._store.plan, self._run, units)

    async def keep(self) -> None:
        """The heartbeat: renews what is held until it is cancelled."""
        while True:
            await asyncio.sleep(self._seconds / _BEATS_IN_A_LEASE)
            await asyncio.to_thread(self._store.renew, self._run, self._owner, frozenset(self._held), self._seconds)

    async def next(self) -> UnitKey | None:
        """The next unit to play, waited for while others hold what is left; None when a player is needed no more."""
        async with self._claiming:
            while not self._ready:
                await self._claim()
                if not self._ready:
                    if not await self._left_by_others():
                        self._slots -= 1
                        return None
                    await asyncio.sleep(min(self._seconds / _BEATS_IN_A_LEASE, _LONGEST_WAIT))
            return self._ready.popleft()

    async def finish(self, unit: UnitKey, trajectory: Trajectory, *, kept: bool) -> bool:
        """Store a played unit; False where another process finished it, or took it over."""
        try:
            return await asyncio.to_thread(self._store.commit, trajectory, attempt=unit[1], kept=kept, owner=self._owner)
        finally:
            self._held.discard(unit)

    async def fail(self, unit: UnitKey, error: RestepError) -> int:
        """Record a failure, after which the unit is free again; how often it has failed, 0 where it was taken over."""
        try:
            return await asyncio.to_thread(self._store.fail, self._run, *unit, error, owner=self._owner)
        finally:
            self._held.discard(unit)

    async def _claim(self) -> None:
        limit = self._slots - len(self._held)
        claimed = await asyncio.to_thread(self._store.claim, self._run, self._owner, limit, self._seconds, tries=self._tries)
        # A unit that was lost and is claimed again while it is still being played is played on, not twice.
        self._ready.extend(unit for unit in claimed if unit not in self._held)
        self._held.update(claimed)

    async def _left_by_others(self) -> bool:
        left = await asyncio.to_thread(self._store.unfinished, self._run, tries=self._tries)
        return left > len(self._held)
