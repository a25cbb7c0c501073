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
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import httpx
import psutil

from benchmarks.drive import CAPACITY, SESSIONS, Players, cpu_seconds, memory_table, rates_table, server
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
Measure = Callable[[Players, psutil.Process], Awaitable[str]]
"""Makes a table of a server under load."""
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


async def rehearse(games: GameLibrary, tasks: Sequence[str], steps: int) -> dict[str, list[str]]:
    """A script of ``steps`` commands for each task, played here first, that does not win."""
    direct, scripts = DirectEngine(), dict[str, list[str]]()
    await direct.start()
    for task in tasks:
        episode = await direct.begin(task, lambda task=task: games.load(task), "new")
        rng, commands = random.Random(task), list[str]()
        while len(commands) < steps:
            command = script(await episode.admissible_actions(), rng)
            if command.startswith(("move ", "use ")):
                command = "inventory"
            await episode.step(command)
            commands.append(command)
        scripts[task] = commands
    await direct.stop()
    return scripts


async def over_http(games: GameLibrary, tasks: int, steps: int, sessions: int, measure: Measure) -> str:
    """A table that ``measure`` makes of a server with ``sessions`` sessions at ``tasks`` games."""
    scripts = await rehearse(games, spread([task.id for task in games.tasks()], tasks), steps)
    with server([sys.executable, "-m", "benchmarks.alfworld", "--serve"]) as (url, process):
        async with httpx.AsyncClient(base_url=url, timeout=600) as client:
            players = Players(client, list(scripts), lambda _, task: itertools.cycle(scripts[task]))
            await players.create(sessions)
            return await measure(players, process)


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
        rates = partial(rates_table, seconds=2.0 if given.quick else 10.0)
        tables.append(asyncio.run(over_http(games, 64, 50, 256, rates)))
    if given.only in (None, "memory"):
        memory = partial(memory_table, counts=SESSIONS[:2] if given.quick else SESSIONS)
        tables.append(asyncio.run(over_http(games, GAMES_IN_MEMORY, 10, GAMES_IN_MEMORY, memory)))
    print("\n\n".join(tables))
    return 0


if __name__ == "__main__":
    sys.exit(main())
