"""A server under load: its process, sessions that play by scripts, and the tables of rates and of memory.

Shared by the benchmarks of environments; sessions are for those whose steps are inline.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import httpx
import orjson
import psutil

log = logging.getLogger("benchmark")

SESSIONS: Final = (1, 1_000, 10_000)
"""How many sessions memory is measured with."""
CAPACITY: Final = 20_000
"""Sessions a measured server may hold."""

Lane = Callable[[], Awaitable[int]]
"""Asks once; answers how many steps that was."""


def cpu_seconds(process: psutil.Process) -> float:
    """User and system time of a process."""
    times = process.cpu_times()
    return times.user + times.system


@contextmanager
def server(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Generator[tuple[str, psutil.Process]]:
    """A server in a process of its own, ready: its address and the process. Raises SystemExit when it ends by itself."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
    try:
        assert process.stdout is not None
        if not (line := process.stdout.readline()):
            raise SystemExit(f"the server did not start: exit code {process.wait()}")
        url = orjson.loads(line)["url"]
        while httpx.get(f"{url}/readyz").status_code != 200:
            time.sleep(0.05)
        yield url, psutil.Process(process.pid)
        if process.poll() is not None:
            raise SystemExit(f"the server ended by itself: exit code {process.returncode}")
    finally:
        process.terminate()
        process.communicate()


@contextmanager
def serving(service: str, arguments: Sequence[str] = (), **settings: object) -> Generator[tuple[str, psutil.Process]]:
    """``restep serve SERVICE`` with what comes along; ``settings`` become ``RESTEP_*`` variables."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RESTEP_")}
    given = {f"RESTEP_{name.upper()}": str(value) for name, value in {"log_level": "warning", **settings}.items()}
    command = [sys.executable, "-m", "trainer.cli", "serve", service, "--port", "0", *arguments]
    with server(command, {**inherited, **given}) as running:
        yield running


class Players:
    """Sessions on a server, each at one of ``tasks``; ``script`` gives the actions of the session with a number.

    A batch fails where a step has a problem, and with ``understood`` where an action was not understood.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        tasks: Sequence[str],
        script: Callable[[int, str], Iterator[str]],
        *,
        understood: bool = False,
    ) -> None:
        self._client, self._tasks, self._script = client, tasks, script
        self._wrong = (b'"problem":{', *((b'"valid":false',) if understood else ()))
        self._actions: dict[str, Iterator[str]] = {}
        self._seq: dict[str, int] = {}

    @property
    def names(self) -> list[str]:
        """All sessions in the order they were begun."""
        return list(self._seq)

    async def create(self, count: int) -> None:
        """Begin ``count`` more sessions, spread over the tasks."""
        for number in range(len(self._seq), len(self._seq) + count):
            name, task = f"s{number}", self._tasks[number % len(self._tasks)]
            answer = await self._client.put(f"/v1/sessions/{name}", json={"task_id": task, "max_steps": 10_000})
            answer.raise_for_status()
            self._seq[name], self._actions[name] = 0, self._script(number, task)

    def _next(self, session: str) -> dict[str, Any]:
        self._seq[session] += 1
        return {"seq": self._seq[session], "action": next(self._actions[session])}

    async def turn(self, sessions: Iterator[str], include: Sequence[str]) -> int:
        """One step of the next session in a request of its own; the number of steps taken."""
        session = next(sessions)
        body = orjson.dumps(self._next(session) | {"include": list(include)})
        (await self._client.post(f"/v1/sessions/{session}/steps", content=body)).raise_for_status()
        return 1

    async def batch(self, sessions: Sequence[str], include: Sequence[str]) -> int:
        """One step of each session, all in one request; the number of steps taken."""
        steps = [{"session_id": session, **self._next(session), "include": list(include)} for session in sessions]
        answer = await self._client.post("/v1/steps", content=orjson.dumps({"steps": steps}))
        answer.raise_for_status()
        if any(wrong in answer.content for wrong in self._wrong):
            raise SystemExit(f"a step failed: {answer.text[:300]}")
        return len(steps)

    async def play(self, sessions: Sequence[str]) -> None:
        """Ten steps of each session."""
        for first in range(0, len(sessions), 512):
            for _ in range(10):
                await self.batch(sessions[first : first + 512], ())


async def measure_rate(lanes: Sequence[Lane], process: psutil.Process, seconds: float) -> tuple[float, float]:
    """Run each lane again and again. Steps a second, and the server's CPU milliseconds a step."""

    async def run(lane: Lane, until: float) -> int:
        taken = 0
        while time.perf_counter() < until:
            taken += await lane()
        return taken

    await asyncio.gather(*(run(lane, time.perf_counter() + seconds / 5) for lane in lanes))
    cpu, since = cpu_seconds(process), time.perf_counter()
    taken = sum(await asyncio.gather(*(run(lane, since + seconds) for lane in lanes)))
    return taken / (time.perf_counter() - since), (cpu_seconds(process) - cpu) / taken * 1e3


async def rates_table(players: Players, process: psutil.Process, seconds: float) -> str:
    """Single steps, one at a time and many at once, and batches; each with and without the list of actions."""
    lines = ["| requests | actions listed | steps/s | server CPU ms a step |", "|---|---|---|---|"]
    names = players.names
    for include in ((), ("admissible_actions",)):
        kinds: dict[str, list[Lane]] = {
            "one at a time": [partial(players.turn, itertools.cycle(names), include)],
            "32 at once": [partial(players.turn, itertools.cycle(names[lane::32]), include) for lane in range(32)],
            "batches of 256": [partial(players.batch, names[:256], include)],
        }
        for kind, lanes in kinds.items():
            rate, cost = await measure_rate(lanes, process, seconds)
            lines.append(f"| {kind} | {'yes' if include else 'no'} | {rate:,.0f} | {cost:.3f} |")
            log.info("%s", lines[-1])
    return "\n".join(lines)


async def memory_table(players: Players, process: psutil.Process, counts: Sequence[int]) -> str:
    """Resident memory with ever more sessions beside those of ``players``, which fill the caches first."""
    lines = ["| sessions, 10 steps each | resident MB | KB a session over the first |", "|---|---|---|"]
    await players.play(players.names)
    base, before = process.memory_info().rss, len(players.names)
    for count in counts:
        begun = len(players.names)
        await players.create(count - (begun - before))
        await players.play(players.names[begun:])
        rss = process.memory_info().rss
        lines.append(f"| {count:,} | {rss / 2**20:,.0f} | {(rss - base) / count / 1024:,.1f} |")
        log.info("%s", lines[-1])
    return "\n".join(lines)
