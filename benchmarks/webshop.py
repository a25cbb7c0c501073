"""What WebShop costs: loading, a step in process and over HTTP, and memory.

    python -m benchmarks.webshop [--quick] [--only load|process|http|memory]

The shop is that of RESTEP_DATA, else the embedded one. *Load*: a fresh server until it is ready, and the part of it that
is reading and indexing the shop. *Process*: whole episodes of different goals, each searching, opening what was found,
choosing an option and buying; observations and lists of actions included. What is done is thought out beforehand, and
nothing of the measured shop was met before. *HTTP*: one server process, driven by this one, with shoppers that search and
look without end. *Memory*: resident, every session stepped ten times. On a busy machine CPU is the figure to compare.
Tables in Markdown go to standard output.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import random
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import httpx
import psutil

from benchmarks.drive import CAPACITY, SESSIONS, Players, cpu_seconds, memory_table, rates_table, server
from services.webshop.environment import WebShop
from services.webshop.library import open_stock
from services.webshop.world import World

log = logging.getLogger("benchmark")

SHOPPERS: Final = 256
TASKS: Final = 1000
SERVER: Final = (
    sys.executable,
    "-c",
    f"""
import sys
from services.webshop.app import main
from shared.settings import EnvironmentSettings
sys.exit(main(EnvironmentSettings(port=0, capacity={CAPACITY}, log_level="warning")))
""",
)


def load_world() -> World:
    """The data there is."""
    data = os.environ.get("RESTEP_DATA")
    return World(open_stock(Path(data) if data else None))


# --- load ----------------------------------------------------------------------------------------------------


def measure_load() -> str:
    """CPU seconds and memory of a server that has just become ready."""
    with server(SERVER) as (_, process):
        whole, memory = cpu_seconds(process), process.memory_info().rss / 2**20
    begun = time.process_time()
    world = load_world()
    shop = time.process_time() - begun
    lines = ["| products | server until ready, CPU s | of that the shop, CPU s | resident MB |", "|---|---|---|---|"]
    return "\n".join([*lines, f"| {len(world.shop.catalogue):,} | {whole:.2f} | {shop:.2f} | {memory:.0f} |"])


# --- in process ------------------------------------------------------------------------------------------------


Script = Sequence[str]
"""The actions of one episode."""


async def script(environment: WebShop, task: str) -> Script:
    """What a shopper does who knows some words of the product's name: search, open, choose an option, buy."""
    rng, world = random.Random(task), environment.world
    name = world.shop.catalogue[world.tasks.goal(task).product].name.split()
    episode = await environment.reset(task, 0, {})
    actions = [f"search[{' '.join(rng.sample(name, min(5, len(name))))}]"]
    await episode.step(actions[-1])
    found = (await episode.admissible_actions())[2:]
    if not found:
        return actions
    actions.append(rng.choice(found))
    await episode.step(actions[-1])
    options = (await episode.admissible_actions())[6:]
    return [*actions, *([rng.choice(options)] if options else []), "click[buy now]"]


async def play(environment: WebShop, task: str, actions: Script) -> None:
    """One episode, in which every page is read and so is what can be clicked on it."""
    episode = await environment.reset(task, 0, {})
    assert episode.observation
    done = False
    for action in actions:
        done = (await episode.step(action)).done
        if not done:
            await episode.admissible_actions()
    assert done or len(actions) == 1


async def opened() -> WebShop:
    """A shop in which nobody has been."""
    environment = WebShop(load_world)
    await environment.start()
    return environment


async def measure_process(count: int) -> str:
    """Episodes of ``count`` different goals, thought out beforehand in another shop."""
    planning, environment = await opened(), await opened()
    tasks = [task.id for task in planning.tasks()]
    plans = {task: await script(planning, task) for task in tasks[:: max(1, len(tasks) // count)]}
    begun = time.process_time()
    for task, actions in plans.items():
        await play(environment, task, actions)
    spent = time.process_time() - begun
    steps = sum(map(len, plans.values()))
    lines = ["| steps of whole episodes | CPU µs a step | steps per CPU s |", "|---|---|---|"]
    return "\n".join([*lines, f"| {steps:,} | {spent / steps * 1e6:.1f} | {steps / spent:,.0f} |"])


# --- HTTP ------------------------------------------------------------------------------------------------------


def shopper(world: World, number: int) -> Iterator[str]:
    """A shopper without end, who searches, opens a product, reads about it and goes back to search for another."""
    catalogue, rng = world.shop.catalogue, random.Random(number)
    while True:
        name = [word for word in catalogue[rng.randrange(len(catalogue))].name.lower().split() if word.isalnum()]
        keywords = " ".join(rng.sample(name, min(4, len(name))))
        if not (found := world.shop.results(keywords)):
            continue
        yield f"search[{keywords}]"
        yield f"click[{catalogue[rng.choice(found[:10])].asin}]"
        yield from ("click[features]", "click[< prev]", "click[back to search]")


async def over_http(measure: Callable[[Players, psutil.Process], Awaitable[str]]) -> str:
    """A table that ``measure`` makes of a server with shoppers."""
    world = load_world()
    tasks = [task.id for task in world.tasks.select()[: 7 * TASKS : 7]]
    with server(SERVER) as (url, process):
        async with httpx.AsyncClient(base_url=url, timeout=600) as client:
            players = Players(client, tasks, lambda number, _: shopper(world, number), understood=True)
            await players.create(SHOPPERS)
            return await measure(players, process)


def main() -> int:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description="WebShop: loading, steps in process and over HTTP, memory.")
    parser.add_argument("--quick", action="store_true", help="fewer goals, shorter measurements, at most 1,000 sessions")
    parser.add_argument("--only", choices=("load", "process", "http", "memory"))
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    tables: list[str] = []
    if given.only in (None, "load"):
        tables.append(measure_load())
    if given.only in (None, "process"):
        tables.append(asyncio.run(measure_process(500 if given.quick else 4000)))
    if given.only in (None, "http"):
        tables.append(asyncio.run(over_http(partial(rates_table, seconds=2.0 if given.quick else 10.0))))
    if given.only in (None, "memory"):
        counts = SESSIONS[:2] if given.quick else SESSIONS
        tables.append(asyncio.run(over_http(partial(memory_table, counts=counts))))
    print("\n\n".join(tables))
    return 0


if __name__ == "__main__":
    sys.exit(main())
