"""More than a server takes: a small one, asked by far more clients than it has room for, none of which waits as it is told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from benchmarks.episodes import Player, all_tasks
from benchmarks.wire import Connection, Reply

CAPACITY: Final = 16
QUEUE: Final = 4
PAUSE: Final = 0.02
"""Seconds a refused client waits, whatever Retry-After says."""


@dataclass(frozen=True)
class Overload:
    """How many clients asked a server with how much room; answers by route and status, 429s that did not say when to return."""

    clients: int
    capacity: int
    queue: int
    answers: dict[str, dict[int, int]]
    retry_after_missing: int

    @property
    def refused(self) -> int:
        """Answers 429."""
        return sum(by_status.get(429, 0) for by_status in self.answers.values())

    @property
    def wrong(self) -> int:
        """Answers that are neither success nor 429, and 429s without Retry-After."""
        statuses = [(status, n) for by_status in self.answers.values() for status, n in by_status.items()]
        return sum(n for status, n in statuses if status >= 300 and status != 429) + self.retry_after_missing


async def overload(environment: str, port: int, clients: int, requests: int, steps: int) -> Overload:
    """Ask the server on a port about so many times, and count what it answers."""
    first = await Connection.open(port)
    player = Player(environment, await all_tasks(first), steps, prefix="over")
    await first.close()

    def asked() -> int:
        return sum(player.calls.statuses.values())

    async def client() -> None:
        connection = await Connection.open(port)
        while asked() < requests:
            playing = await player.begin(connection)
            if isinstance(playing, Reply):
                await asyncio.sleep(PAUSE)
                continue
            while not playing.over and asked() < requests:
                if not await player.step(connection, playing):
                    await asyncio.sleep(PAUSE)
            await player.end(connection, playing)
        await connection.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(client())
    answers: dict[str, dict[int, int]] = {}
    for (route, status), count in sorted(player.calls.statuses.items()):
        answers.setdefault(route, {})[status] = count
    return Overload(clients, CAPACITY, QUEUE, answers, player.calls.retry_after_missing)
