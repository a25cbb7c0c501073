"""What the framework costs: steps a second and server CPU a step of an environment that does nothing.

    python -m benchmarks.envserver [--seconds 5]

The server is one process, the client another; on a busy machine CPU a step is the figure to compare.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import orjson
import psutil

from benchmarks.wire import Connection
from services.envserver.serve import run
from shared.environment import EngineStep, Environment, Episode
from shared.protocol import EnvironmentInfo, SplitInfo, TaskInfo
from shared.settings import EnvironmentSettings

TASK = TaskInfo(id="null/0", split="all", type="null", goal="None.")


class NullEpisode(Episode):
    """An inline engine at its cheapest."""

    @property
    def goal(self) -> str:
        """The task statement."""
        return "None."

    @property
    def observation(self) -> str:
        """All there is to see."""
        return "Nothing happens."

    async def step(self, action: str) -> EngineStep:
        """Answer at once."""
        return EngineStep("Nothing happens.", 0.0, done=False, success=False, valid=True)

    async def close(self) -> None:
        """Nothing to give back."""


class Null(Environment):
    """One task in which nothing happens."""

    async def start(self) -> None:
        """Nothing to load."""

    async def stop(self) -> None:
        """Nothing to end."""

    def info(self) -> EnvironmentInfo:
        """The least an environment can say."""
        return EnvironmentInfo(
            name="null",
            engine_version="1",
            data_version="0" * 16,
            splits=[SplitInfo(name="all", tasks=1)],
            task_types=["null"],
            action_grammar=[],
            instruction="",
            max_steps=1_000_000,
        )

    def tasks(self, split: str | None = None, type: str | None = None) -> Sequence[TaskInfo]:
        """The one task."""
        return [TASK]

    def task(self, task_id: str) -> TaskInfo:
        """The one task."""
        return TASK

    async def reset(self, task_id: str, seed: int, options: Mapping[str, str]) -> Episode:
        """A fresh episode."""
        return NullEpisode()


@dataclass(frozen=True)
class Row:
    """One measurement. Times of a request in milliseconds, CPU of the server in microseconds a step."""

    way: str
    steps: int
    seconds: float
    cpu: float
    latencies: list[float]

    def line(self) -> str:
        """As a row of the table."""
        marks = statistics.quantiles(self.latencies, n=100)
        rate = self.steps / self.seconds
        cpu = self.cpu / self.steps * 1e6
        return f"{self.way:<28}{rate:>10.0f}{cpu:>12.0f}{marks[49] * 1e3:>10.2f}{marks[94] * 1e3:>10.2f}"


async def measure(way: str, server: psutil.Process, seconds: float, lanes: int, call: Callable[[int], Awaitable[int]]) -> Row:
    """Run ``call(lane)`` (answers steps done) in ``lanes`` concurrent lanes for ``seconds``."""
    latencies: list[float] = []
    steps = 0
    until = time.perf_counter() + seconds

    async def lane(index: int) -> None:
        nonlocal steps
        while (begun := time.perf_counter()) < until:
            done = await call(index)
            steps += done  # not before: other lanes add meanwhile
            latencies.append(time.perf_counter() - begun)

    before, begun = server.cpu_times(), time.perf_counter()
    await asyncio.gather(*[lane(index) for index in range(lanes)])
    after, ended = server.cpu_times(), time.perf_counter()
    cpu = after.user + after.system - before.user - before.system
    return Row(way, steps, ended - begun, cpu, latencies)


async def benchmark(port: int, server: psutil.Process, seconds: float) -> list[Row]:
    """All ways of stepping."""
    rows: list[Row] = []
    for size, lanes in ((1, 1), (1, 16), (16, 4), (64, 2), (256, 2)):
        connections = [await Connection.open(port) for _ in range(lanes)]
        names = [[f"s{size}-{lanes}-{lane}-{index}" for index in range(size)] for lane in range(lanes)]
        for name in itertools.chain(*names):
            await connections[0].must("PUT", f"/v1/sessions/{name}", {"task_id": TASK.id})
        done = [0] * lanes

        async def step(
            lane: int,
            connections: list[Connection] = connections,
            names: list[list[str]] = names,
            done: list[int] = done,
        ) -> int:
            done[lane] += 1
            steps = [{"session_id": name, "seq": done[lane], "action": "do nothing"} for name in names[lane]]
            if len(steps) == 1:
                name = steps[0].pop("session_id")
                await connections[lane].must("POST", f"/v1/sessions/{name}/steps", steps[0])
            else:
                reply = await connections[lane].must("POST", "/v1/steps", {"steps": steps})
                assert b'"problem":{' not in reply.content
            return len(steps)

        way = f"{lanes} client(s), " + ("single steps" if size == 1 else f"batches of {size}")
        rows.append(await measure(way, server, seconds, lanes, step))
    return rows


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        sys.exit(run(Null(), EnvironmentSettings(capacity=4096, queue=4096, log_level="warning"), service_name="null"))
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.envserver", "--serve"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        port = orjson.loads(process.stdout.readline())["port"]
        rows = asyncio.run(benchmark(port, psutil.Process(process.pid), options.seconds))
        memory = psutil.Process(process.pid).memory_info().rss / 2**20
    finally:
        process.terminate()
        process.wait()
    print(f"{'':<28}{'steps/s':>10}{'us CPU/step':>12}{'p50 ms':>10}{'p95 ms':>10}")
    for row in rows:
        print(row.line())
    print(f"server memory {memory:.0f} MiB")


if __name__ == "__main__":
    main()
