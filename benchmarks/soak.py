"""A crowd of sessions on one server: first at the pace of agents that think, then as fast as they are answered.

A lane holds a session at all times: the next one is begun before the last is given back.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.episodes import Calls, Latency, Player, Playing, all_tasks, begun, held
from benchmarks.memory import Growth, Processes, Sample, growth
from benchmarks.wire import Connection

LOOKS: Final = 300
"""How often memory is read in a soak, evenly over its episodes."""


@dataclass
class Lane:
    """A connection and the episode it plays."""

    connection: Connection
    playing: Playing


class Crowd:
    """Lanes that play one episode after another, how many they have finished, and an event set with each that ends."""

    def __init__(self, player: Player, lanes: Sequence[Lane]) -> None:
        self.player, self.lanes = player, lanes
        self.finished = 0
        self.ended = asyncio.Event()

    def next_stage(self) -> Calls:
        """Count from 0 again; what was counted until now."""
        calls, self.player.calls = self.player.calls, Calls()
        self.player.steps = self.finished = 0
        return calls

    async def advance(self, lane: Lane) -> None:
        """One step; an episode that is over is replaced. Raises SystemExit when the server refuses anything."""
        if not await self.player.step(lane.connection, lane.playing):
            raise SystemExit(f"a step was refused: {self.player.calls.by_status()}")
        if lane.playing.over:
            over, lane.playing = lane.playing, await begun(self.player, lane.connection)
            await self.player.end(lane.connection, over)
            self.finished += 1
            self.ended.set()

    async def paced(self, think: float, seconds: float) -> None:
        """Every lane steps after having thought for a random time of mean ``think``, for so many seconds."""
        until = time.perf_counter() + seconds

        async def run(lane: Lane, rng: random.Random) -> None:
            while time.perf_counter() + (pause := rng.expovariate(1.0 / think)) < until:
                await asyncio.sleep(pause)
                await self.advance(lane)

        await _all(*(run(lane, random.Random(number)) for number, lane in enumerate(self.lanes)))

    async def flat_out(self, episodes: int, seconds: float) -> None:
        """No lane ever waits, until so many episodes are finished or so many seconds have passed."""
        until = time.perf_counter() + seconds

        async def run(lane: Lane) -> None:
            while self.finished < episodes and time.perf_counter() < until:
                await self.advance(lane)

        await _all(*(run(lane) for lane in self.lanes))


async def _all(*lanes: Coroutine[Any, Any, None]) -> None:
    """Run lanes to their end; the first failure ends all of them and is raised as it is."""
    tasks = [asyncio.ensure_future(lane) for lane in lanes]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def crowd(environment: str, port: int, sessions: int, steps: int) -> AsyncGenerator[Crowd]:
    """As many sessions, all begun, each on a connection of its own; given back with the block."""
    async with contextlib.AsyncExitStack() as stack:

        async def connect() -> Connection:
            connection = await Connection.open(port)
            stack.push_async_callback(connection.close)
            return connection

        player = Player(environment, await all_tasks(await connect()), steps)
        connections = [await connect() for _ in range(sessions)]
        playing = await asyncio.gather(*(begun(player, connection) for connection in connections))
        lanes = [Lane(*pair) for pair in zip(connections, playing, strict=True)]
        yield Crowd(player, lanes)
        await asyncio.gather(*(player.end(lane.connection, lane.playing) for lane in lanes))


@dataclass(frozen=True)
class Soak:
    """What a soak has shown. Latencies while all sessions were begun, and at either pace; ``fewest`` were held at once.

    ``left`` sessions were there when all had been given back.
    """

    episodes: int
    steps: int
    seconds: float
    sessions: int
    fewest: int
    left: int
    server_cpu_ms: float
    statuses: dict[int, int]
    paced_steps_per_second: float
    opening: list[Latency]
    paced: list[Latency]
    flat_out: list[Latency]
    growth: list[Growth]
    samples: list[Sample]


@dataclass(frozen=True)
class Load:
    """How long and how fast: ``think``, ``paced`` and ``longest`` in seconds, ``steps`` the step limit of an episode."""

    environment: str
    sessions: int
    episodes: int
    steps: int
    think: float
    paced: float
    longest: float


@asynccontextmanager
async def watching(people: Crowd, port: int, processes: Processes, episodes: int) -> AsyncGenerator[list[Sample]]:
    """Look at the server each time another share of the episodes is finished, while the block runs."""
    samples, since, watcher = list[Sample](), time.perf_counter(), await Connection.open(port)

    async def watch() -> None:
        due = 0.0
        while due <= episodes:
            if people.finished < due:
                people.ended.clear()
                await people.ended.wait()
                continue
            sessions, resident = await held(watcher), await asyncio.to_thread(processes.resident)
            samples.append(Sample(time.perf_counter() - since, people.finished, sessions, resident))
            due = max(due, people.finished) + episodes / LOOKS

    task = asyncio.create_task(watch())
    try:
        yield samples
        if people.finished >= episodes:
            await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await watcher.close()


async def soak(load: Load, port: int, pid: int) -> Soak:
    """Play ``load`` on the server on a port. Raises SystemExit when it refuses anything but a session at the wrong moment."""
    processes = Processes(pid)
    async with crowd(load.environment, port, load.sessions, load.steps) as people:
        opening = people.next_stage()
        await people.paced(load.think, load.paced)
        paced_steps = people.player.steps
        paced = people.next_stage()
        since, cpu = time.perf_counter(), processes.cpu_seconds()
        async with watching(people, port, processes, load.episodes) as samples:
            await people.flat_out(load.episodes, load.longest)
            seconds, cpu = time.perf_counter() - since, processes.cpu_seconds() - cpu
        finished, steps = people.finished, people.player.steps
        flat_out = people.next_stage()
    last = await Connection.open(port)
    left = await held(last)
    await last.close()
    everything = Calls()
    for calls in (opening, paced, flat_out):
        everything.add(calls)
    return Soak(
        finished,
        steps,
        seconds,
        load.sessions,
        min((sample.sessions for sample in samples), default=0),
        left,
        cpu / max(1, steps) * 1e3,
        everything.by_status(),
        paced_steps / load.paced,
        opening.latencies(),
        paced.latencies(),
        flat_out.latencies(),
        growth(samples, finished),
        samples,
    )
