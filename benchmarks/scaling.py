"""The same load on one to four server processes, by as many client processes: what each process adds, and what it costs.

A session stays on the server it was begun on; sessions are spread by turns. On a machine with fewer cores than processes
the rate says how the cores were shared, and server CPU a step is the figure that tells whether a process costs more in
company.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import psutil

from benchmarks.episodes import STEP, Calls, Player, all_tasks, begun
from benchmarks.memory import Processes
from benchmarks.wire import Connection
from shared.serving import new_event_loop


@dataclass(frozen=True)
class Part:
    """What one client process does: episodes of at most ``steps`` steps on the servers on ``ports``, in ``lanes`` lanes."""

    number: int
    environment: str
    ports: Sequence[int]
    lanes: int
    episodes: int
    steps: int


@dataclass(frozen=True)
class Played:
    """What came of a part; ``cpu`` is the client's own, in seconds."""

    steps: int
    cpu: float
    calls: Calls


@dataclass(frozen=True)
class Scaling:
    """With so many servers: steps a second, server CPU a step, latency of a step, and who had how many cores meanwhile."""

    servers: int
    steps: int
    rate: float
    server_cpu_ms: float
    p50: float
    p99: float
    server_cores: float
    client_cores: float
    other_cores: float


def play_part(part: Part) -> Played:
    """In a client process. Raises RuntimeError when a server refuses anything."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(_play(part))


async def _play(part: Part) -> Played:
    first = await Connection.open(part.ports[0])
    player = Player(part.environment, await all_tasks(first), part.steps, prefix=f"part{part.number}")
    await first.close()
    left = part.episodes

    async def lane(port: int) -> None:
        nonlocal left
        connection = await Connection.open(port)
        while left > 0:
            left -= 1
            playing = await begun(player, connection)
            while not playing.over:
                if not await player.step(connection, playing):
                    raise RuntimeError(f"a step was refused: {player.calls.by_status()}")
            await player.end(connection, playing)
        await connection.close()

    cpu = time.process_time()
    async with asyncio.TaskGroup() as group:
        for number in range(part.lanes):
            group.create_task(lane(part.ports[(part.number + number) % len(part.ports)]))
    return Played(player.steps, time.process_time() - cpu, player.calls)


async def scale(environment: str, ports: Sequence[int], pids: Sequence[int], load: tuple[int, int, int]) -> Scaling:
    """Measure servers that run; ``load`` is lanes, episodes and steps of an episode, divided among the clients."""
    lanes, episodes, steps = load
    count = len(ports)
    parts = [Part(number, environment, ports, lanes // count, episodes // count, steps) for number in range(count)]
    servers = [Processes(pid) for pid in pids]
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn")) as pool:
        await asyncio.gather(*(loop.run_in_executor(pool, abs, number) for number in range(count)))  # they are up
        cpu, busy, since = sum(server.cpu_seconds() for server in servers), _busy(), time.perf_counter()
        played = await asyncio.gather(*(loop.run_in_executor(pool, play_part, part) for part in parts))
        seconds, busy = time.perf_counter() - since, _busy() - busy
        cpu = sum(server.cpu_seconds() for server in servers) - cpu
    calls = Calls()
    for each in played:
        calls.add(each.calls)
    step = next(row for row in calls.latencies() if row.route == STEP)
    taken, clients = sum(each.steps for each in played), sum(each.cpu for each in played)
    return Scaling(
        count,
        taken,
        taken / seconds,
        cpu / taken * 1e3,
        step.p50,
        step.p99,
        cpu / seconds,
        clients / seconds,
        max(0.0, busy - cpu - clients) / seconds,
    )


def _busy() -> float:
    """CPU seconds that all of the machine's processes have used."""
    times = psutil.cpu_times()
    return times.user + times.system + times.nice
