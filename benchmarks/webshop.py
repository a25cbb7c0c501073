"""What WebShop costs: loading, a step in process and over HTTP, and memory.

    python -m benchmarks.webshop [--quick] [--only load|process|http|memory]

The shop is that of RESTEP_DATA, else the embedded one. *Load*: a fresh server until it is ready, and the part of it that
is reading and indexing the shop. *Process*: whole episodes of different goals, each searching, opening what was found,
choosing an option and buying; observations and lists of actions included, nothing met before. *HTTP*: one server process,
driven by this one, with shoppers that search and look without end. *Memory*: resident, every session stepped ten times.
On a busy machine CPU is the figure to compare. Tables in Markdown go to standard output.
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
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
import orjson
import psutil

from benchmarks.alfworld import Lane, cpu_seconds, measure_rate
from services.webshop.environment import WebShop
from services.webshop.library import open_stock
from services.webshop.world import World

log = logging.getLogger("benchmark")

SESSIONS: Final = (1, 1_000, 10_000)
SHOPPERS: Final = 256
TASKS: Final = 1000
SERVER: Final = """
import sys
from services.webshop.app import main
from shared.settings import EnvironmentSettings
sys.exit(main(EnvironmentSettings(port=0, capacity=20_000, log_level="warning")))
"""


def load_world() -> World:
    """The data there is."""
    data = os.environ.get("RESTEP_DATA")
    return World(open_stock(Path(data) if data else None))


@contextmanager
def server() -> Generator[tuple[str, psutil.Process]]:
    """A server in a process of its own, ready: its address and the process."""
    process = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        url = orjson.loads(process.stdout.readline())["url"]
        while httpx.get(f"{url}/readyz").status_code != 200:
            time.sleep(0.05)
        yield url, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.communicate()


# --- load ----------------------------------------------------------------------------------------------------


def measure_load() -> str:
    """CPU seconds and memory of a server that has just become ready."""
    with server() as (_, process):
        whole, memory = cpu_seconds(process), process.memory_info().rss / 2**20
    begun = time.process_time()
    world = load_world()
    shop = time.process_time() - begun
    lines = ["| products | server until ready, CPU s | of that the shop, CPU s | resident MB |", "|---|---|---|---|"]
    return "\n".join([*lines, f"| {len(world.shop.catalogue):,} | {whole:.2f} | {shop:.2f} | {memory:.0f} |"])


# --- in process ------------------------------------------------------------------------------------------------


async def shopping(environment: WebShop, world: World, task: str) -> int:
    """One episode of a shopper who knows some words of the product's name. The number of steps."""
    rng = random.Random(task)
    name = world.shop.catalogue[world.tasks.goal(task).product].name.split()
    episode = await environment.reset(task, 0, {})
    assert episode.observation
    await episode.step(f"search[{' '.join(rng.sample(name, min(5, len(name))))}]")
    found = (await episode.admissible_actions())[2:]
    if not found:
        return 1
    await episode.step(rng.choice(found))
    options = (await episode.admissible_actions())[6:]
    if options:
        await episode.step(rng.choice(options))
        await episode.admissible_actions()
    assert (await episode.step("click[buy now]")).done
    return 4 if options else 3


async def measure_process(count: int) -> str:
    """Episodes of ``count`` different goals."""
    world = load_world()
    environment = WebShop(lambda: world)
    await environment.start()
    tasks = [task.id for task in environment.tasks()]
    begun, steps = time.process_time(), 0
    for task in tasks[:: max(1, len(tasks) // count)]:
        steps += await shopping(environment, world, task)
    spent = time.process_time() - begun
    lines = ["| steps of whole episodes | CPU µs a step | steps per CPU s |", "|---|---|---|"]
    return "\n".join([*lines, f"| {steps:,} | {spent / steps * 1e6:.1f} | {steps / spent:,.0f} |"])


# --- HTTP ------------------------------------------------------------------------------------------------------


class Shoppers:
    """Sessions on a server that search, open a product, read about it and go back to search for another."""

    def __init__(self, client: httpx.AsyncClient, world: World) -> None:
        self._client = client
        self._world = world
        self.seq: dict[str, int] = {}
        self._scripts: dict[str, Iterator[str]] = {}

    async def create(self, count: int) -> None:
        """Begin ``count`` more sessions, spread over the tasks."""
        tasks = self._world.tasks.select()
        for number in range(len(self.seq), len(self.seq) + count):
            task = tasks[number * 7 % min(len(tasks), TASKS)].id
            answer = await self._client.put(f"/v1/sessions/s{number}", json={"task_id": task, "max_steps": 10_000})
            answer.raise_for_status()
            self.seq[f"s{number}"] = 0
            self._scripts[f"s{number}"] = self._script(random.Random(number))

    def _script(self, rng: random.Random) -> Iterator[str]:
        catalogue = self._world.shop.catalogue
        while True:
            name = [word for word in catalogue[rng.randrange(len(catalogue))].name.lower().split() if word.isalnum()]
            keywords = " ".join(rng.sample(name, min(4, len(name))))
            if not (found := self._world.shop.results(keywords)):
                continue
            yield f"search[{keywords}]"
            yield f"click[{catalogue[rng.choice(found[:10])].asin}]"
            yield from ("click[features]", "click[< prev]", "click[back to search]")

    def next(self, session: str) -> dict[str, Any]:
        """The next step of a session."""
        self.seq[session] += 1
        return {"seq": self.seq[session], "action": next(self._scripts[session])}

    async def turn(self, sessions: Iterator[str], include: Sequence[str]) -> int:
        """One step of the next session in a request of its own; the number of steps taken."""
        session = next(sessions)
        body = orjson.dumps(self.next(session) | {"include": list(include)})
        (await self._client.post(f"/v1/sessions/{session}/steps", content=body)).raise_for_status()
        return 1

    async def batch(self, sessions: Sequence[str], include: Sequence[str]) -> int:
        """One step of each session, all in one request; the number of steps taken."""
        steps = [{"session_id": session, **self.next(session), "include": list(include)} for session in sessions]
        answer = await self._client.post("/v1/steps", content=orjson.dumps({"steps": steps}))
        answer.raise_for_status()
        if b'"problem":{' in answer.content or b'"valid":false' in answer.content:
            raise SystemExit(f"a step failed: {answer.text[:300]}")
        return len(steps)


async def measure_http(seconds: float) -> str:
    """Single steps, one at a time and many at once, and batches; each with and without the list of actions."""
    lines = ["| requests | actions listed | steps/s | server CPU ms a step |", "|---|---|---|---|"]
    with server() as (url, process):
        async with httpx.AsyncClient(base_url=url, timeout=120) as client:
            shoppers = Shoppers(client, load_world())
            await shoppers.create(SHOPPERS)
            names = list(shoppers.seq)
            for include in ((), ("admissible_actions",)):
                kinds: dict[str, list[Lane]] = {
                    "one at a time": [partial(shoppers.turn, itertools.cycle(names), include)],
                    "32 at once": [partial(shoppers.turn, itertools.cycle(names[lane::32]), include) for lane in range(32)],
                    "batches of 256": [partial(shoppers.batch, names, include)],
                }
                for kind, lanes in kinds.items():
                    rate, cost = await measure_rate(lanes, process, seconds)
                    lines.append(f"| {kind} | {'yes' if include else 'no'} | {rate:,.0f} | {cost:.3f} |")
                    log.info("%s", lines[-1])
    return "\n".join(lines)


async def measure_memory(counts: Sequence[int]) -> str:
    """Resident memory of a server with ever more sessions."""
    lines = ["| sessions, 10 steps each | resident MB | KB a session over the first |", "|---|---|---|"]
    with server() as (url, process):
        async with httpx.AsyncClient(base_url=url, timeout=600) as client:
            shoppers = Shoppers(client, load_world())
            await shoppers.create(SHOPPERS)  # fills the caches; not counted as sessions below
            await play_all(shoppers, list(shoppers.seq))
            base = process.memory_info().rss
            for count in counts:
                before = len(shoppers.seq)
                await shoppers.create(count + SHOPPERS - before)
                await play_all(shoppers, list(shoppers.seq)[before:])
                rss = process.memory_info().rss
                lines.append(f"| {count:,} | {rss / 2**20:,.0f} | {(rss - base) / count / 1024:,.1f} |")
                log.info("%s", lines[-1])
    return "\n".join(lines)


async def play_all(shoppers: Shoppers, sessions: Sequence[str]) -> None:
    """Ten steps of each session."""
    for first in range(0, len(sessions), 512):
        for _ in range(10):
            await shoppers.batch(sessions[first : first + 512], ())


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
        tables.append(asyncio.run(measure_http(2.0 if given.quick else 10.0)))
    if given.only in (None, "memory"):
        tables.append(asyncio.run(measure_memory(SESSIONS[:2] if given.quick else SESSIONS)))
    print("\n\n".join(tables))
    return 0


if __name__ == "__main__":
    sys.exit(main())
