"""What ALFWorld costs: our engine against the benchmark's own in the same run, and our server over HTTP.

    RESTEP_TEXTWORLD_PYTHON=.venv-textworld/bin/python python -m benchmarks.alfworld [--quick] [--only engines|http|memory]

Games are spread over the library (RESTEP_DATA, else the embedded ones) and played at random, mostly by actions that
change something. *Engines*: CPU time of loading and resetting a new game, and of a step with its admissible commands;
the original runs in its worker process, whose CPU alone counts. *HTTP*: one server process, driven by this one.
*Memory*: resident, with every session stepped ten times. Tables in Markdown go to standard output.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import logging
import os
import random
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
import orjson
import psutil

from services.alfworld.app import main as serve
from services.alfworld.direct import DirectEngine
from services.alfworld.engine import Engine
from services.alfworld.library import GameLibrary, open_library
from services.alfworld.original import TextWorldEngine
from services.alfworld.settings import AlfWorldSettings
from services.alfworld.source import GameText
from tests.support.alfworld_engines import script, spread, textworld_python

log = logging.getLogger("benchmark")

STEPS: Final = 20
Lane = Callable[[], Awaitable[int]]
"""Asks once; answers how many steps that was."""
SESSIONS: Final = (1, 1_000, 10_000)
CAPACITY: Final = 20_000
GAMES_IN_MEMORY: Final = 100


@dataclass(frozen=True)
class Cost:
    """CPU milliseconds of one engine: a new game until its first observation, and a step with its commands."""

    name: str
    games: int
    load: float
    step: float


def library() -> GameLibrary:
    """The data there is."""
    data = os.environ.get("RESTEP_DATA")
    return open_library(Path(data) if data else None)


def _same(text: GameText) -> GameText:
    return text


def cpu_seconds(process: psutil.Process) -> float:
    """User and system time of a process."""
    times = process.cpu_times()
    return times.user + times.system


# --- engines -------------------------------------------------------------------------------------------------


async def measure_engine(name: str, engine: Engine, games: GameLibrary, tasks: Sequence[str], cpu: Callable[[], float]) -> Cost:
    """Every task loaded once and played :data:`STEPS` steps. ``cpu`` is the engine's CPU time so far, in seconds."""
    load = step = 0.0
    steps = 0
    for task in tasks:
        rng = random.Random(task)
        text = games.load(task)
        begun = cpu()
        episode = await engine.begin(task, partial(_same, text), "new")
        assert episode.observation
        load += cpu() - begun
        admissible = await episode.admissible_actions()
        for _ in range(STEPS):
            action = script(admissible, rng)
            begun = cpu()
            done = (await episode.step(action)).done
            admissible = await episode.admissible_actions()
            step += cpu() - begun
            steps += 1
            if done:
                break
        await episode.close()
    cost = Cost(name, len(tasks), load / len(tasks) * 1e3, step / steps * 1e3)
    log.info("%s", cost)
    return cost


async def measure_engines(games: GameLibrary, few: int, many: int) -> list[Cost]:
    """Ours on many games and, where it is installed, the original on few of them."""
    tasks = [task.id for task in games.tasks()]
    direct = DirectEngine()
    await direct.start()
    warm = tasks[1]
    await direct.begin(warm, lambda: games.load(warm), "new")  # domain and grammar are understood once
    costs = [await measure_engine("direct", direct, games, spread(tasks, many), time.process_time)]
    await direct.stop()
    if (python := textworld_python()) is None:
        log.warning("TextWorld is not installed (make textworld): no comparison")
        return costs
    original = TextWorldEngine(1, python)
    await original.start()
    worker = psutil.Process(original.workers[0].process.pid)
    costs.append(await measure_engine("textworld", original, games, spread(tasks, few), lambda: cpu_seconds(worker)))
    await original.stop()
    return costs


def engines_table(costs: Sequence[Cost]) -> str:
    """Costs, and how many times the first's each other's are."""
    lines = [
        "| engine | games | load and reset, CPU ms | step with commands, CPU ms | steps per CPU s |",
        "|---|---|---|---|---|",
    ]
    lines += [f"| {c.name} | {c.games} | {c.load:.2f} | {c.step:.4f} | {1e3 / c.step:,.0f} |" for c in costs]
    ours = costs[0]
    lines += [f"| ratio to {c.name} | | {c.load / ours.load:,.0f} | {c.step / ours.step:,.0f} | |" for c in costs[1:]]
    return "\n".join(lines)


# --- HTTP ----------------------------------------------------------------------------------------------------


@contextmanager
def server() -> Generator[tuple[str, psutil.Process]]:
    """A server in a process of its own: its address and the process."""
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.alfworld", "--serve"], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield orjson.loads(process.stdout.readline())["url"], psutil.Process(process.pid)
    finally:
        process.terminate()
        process.communicate()


class Player:
    """Sessions on a server, and what they may do next: the scripts are played here first, on our engine."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._direct = DirectEngine()
        self._scripts: dict[str, list[str]] = {}
        self.seq: dict[str, int] = {}
        self.task: dict[str, str] = {}

    async def rehearse(self, games: GameLibrary, tasks: Sequence[str], steps: int) -> None:
        """Make a script of ``steps`` commands for each task that does not win."""
        await self._direct.start()
        for task in tasks:
            episode = await self._direct.begin(task, lambda task=task: games.load(task), "new")
            rng, commands = random.Random(task), list[str]()
            while len(commands) < steps:
                command = script(await episode.admissible_actions(), rng)
                if command.startswith(("move ", "use ")):
                    command = "inventory"
                await episode.step(command)
                commands.append(command)
            self._scripts[task] = commands
        await self._direct.stop()

    async def create(self, count: int) -> None:
        """Begin ``count`` more sessions, spread over the tasks."""
        tasks = list(self._scripts)
        for number in range(len(self.seq), len(self.seq) + count):
            task = tasks[number % len(tasks)]
            answer = await self._client.put(f"/v1/sessions/s{number}", json={"task_id": task, "max_steps": 10_000})
            answer.raise_for_status()
            self.seq[f"s{number}"], self.task[f"s{number}"] = 0, task

    def next(self, session: str) -> dict[str, Any]:
        """The next step of a session."""
        self.seq[session] += 1
        commands = self._scripts[self.task[session]]
        return {"seq": self.seq[session], "action": commands[(self.seq[session] - 1) % len(commands)]}

    async def turn(self, sessions: Iterator[str], include: Sequence[str]) -> int:
        """One step of the next session in a request of its own; the number of steps taken."""
        session = next(sessions)
        body = self.next(session) | {"include": list(include)}
        (await self._client.post(f"/v1/sessions/{session}/steps", content=orjson.dumps(body))).raise_for_status()
        return 1

    async def batch(self, sessions: Sequence[str], include: Sequence[str]) -> int:
        """One step of each session, all in one request; the number of steps taken."""
        steps = [{"session_id": session, **self.next(session), "include": list(include)} for session in sessions]
        answer = await self._client.post("/v1/steps", content=orjson.dumps({"steps": steps}))
        answer.raise_for_status()
        if b'"problem":{' in answer.content:
            raise SystemExit(f"a step failed: {answer.text[:300]}")
        return len(steps)


async def measure_rate(
    lanes: Sequence[Callable[[], Awaitable[int]]], process: psutil.Process, seconds: float
) -> tuple[float, float]:
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


async def measure_http(games: GameLibrary, seconds: float) -> str:
    """Single steps, one at a time and many at once, and batches; each with and without the list of commands."""
    lines = ["| requests | commands listed | steps/s | server CPU ms a step |", "|---|---|---|---|"]
    with server() as (url, process):
        async with httpx.AsyncClient(base_url=url, timeout=120) as client:
            player = Player(client)
            await player.rehearse(games, spread([task.id for task in games.tasks()], 64), 50)
            await player.create(256)
            names = list(player.seq)
            for include in ((), ("admissible_actions",)):
                kinds: dict[str, list[Lane]] = {
                    "one at a time": [partial(player.turn, itertools.cycle(names), include)],
                    "32 at once": [partial(player.turn, itertools.cycle(names[lane::32]), include) for lane in range(32)],
                    "batches of 256": [partial(player.batch, names, include)],
                }
                for kind, lanes in kinds.items():
                    rate, cost = await measure_rate(lanes, process, seconds)
                    lines.append(f"| {kind} | {'yes' if include else 'no'} | {rate:,.0f} | {cost:.3f} |")
                    log.info("%s", lines[-1])
    return "\n".join(lines)


async def measure_memory(games: GameLibrary, counts: Sequence[int]) -> str:
    """Resident memory of a server with ever more sessions on the same games."""
    lines = ["| sessions, 10 steps each | resident MB | KB a session over the first |", "|---|---|---|"]
    with server() as (url, process):
        async with httpx.AsyncClient(base_url=url, timeout=600) as client:
            player = Player(client)
            await player.rehearse(games, spread([task.id for task in games.tasks()], GAMES_IN_MEMORY), 10)
            await player.create(GAMES_IN_MEMORY)  # until every game is loaded and played; not counted as sessions below
            await play_all(player, list(player.seq))
            base, before = process.memory_info().rss, len(player.seq)
            for count in counts:
                names = len(player.seq)
                await player.create(count - (names - before))
                await play_all(player, list(player.seq)[names:])
                rss = process.memory_info().rss
                lines.append(f"| {count:,} | {rss / 2**20:,.0f} | {(rss - base) / count / 1024:,.1f} |")
                log.info("%s", lines[-1])
    return "\n".join(lines)


async def play_all(player: Player, sessions: Sequence[str]) -> None:
    """Ten steps of each session."""
    for first in range(0, len(sessions), 512):
        for _ in range(10):
            await player.batch(sessions[first : first + 512], ())


def main() -> int:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description="ALFWorld: our engine against the benchmark's own, and our server.")
    parser.add_argument("--quick", action="store_true", help="fewer games, shorter measurements, at most 1,000 sessions")
    parser.add_argument("--only", choices=("engines", "http", "memory"))
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        return serve(AlfWorldSettings(port=0, capacity=CAPACITY, log_level="warning"))
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    games, tables = library(), list[str]()
    if given.only in (None, "engines"):
        costs = asyncio.run(measure_engines(games, 3 if given.quick else 12, 50 if given.quick else 400))
        tables.append(engines_table(costs))
    if given.only in (None, "http"):
        tables.append(asyncio.run(measure_http(games, 2.0 if given.quick else 10.0)))
    if given.only in (None, "memory"):
        tables.append(asyncio.run(measure_memory(games, SESSIONS[:2] if given.quick else SESSIONS)))
    print("\n\n".join(tables))
    return 0


if __name__ == "__main__":
    sys.exit(main())
