"""What the simulation takes from this machine, measured: the embedded model server's pace, an ALFWorld episode, a commit;
and episodes on all of it together, which the simulation has to foretell.

    python -m benchmarks.calibrate [--output FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import httpx
import orjson

from benchmarks.agent import Stage, at_own_pace
from benchmarks.drive import serving
from benchmarks.fleet import Room, Workload, simulate
from benchmarks.memory import Processes
from benchmarks.stations import ModelSpeed
from shared.agent_protocol import Sampling
from shared.client import EnvironmentClient
from shared.client.agent import AgentClient
from shared.store import TrajectoryStore
from shared.trajectory import Trajectory
from tests.support.trajectories import Said, trajectory
from trainer.checkpoint import open_base
from trainer.render import Renderer
from trainer.rollout import EpisodeConfig, SamplingConfig
from trainer.shipped import NAME, locate
from trainer.student import Student
from trainer.tasks import TaskSelection, select_tasks

BATCHES: Final = (1, 4, 16, 64)
ANSWER: Final = 48
PROMPT: Final = 512
STEPS: Final = 10
_COUNTER: Final = re.compile(r"^restep_agent_(\w+?)(?:_total)? (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Played:
    """Episodes that were played, and what the simulation says of the same; both in episodes a minute."""

    at_once: int
    measured: float
    simulated: float

    @property
    def error(self) -> float:
        """0.1: the simulation foretells ten per cent more than there was."""
        return self.simulated / self.measured - 1.0


@dataclass(frozen=True)
class Calibration:
    """Everything measured; ``commit`` in seconds, ``commits`` a second by the number of threads that write."""

    speed: ModelSpeed
    workload: Workload
    commit: float
    commits: Mapping[int, float]
    played: Sequence[Played]


# --- the model server -----------------------------------------------------------------------------------------


async def pace(agent: AgentClient, processes: Processes, vocabulary: int) -> ModelSpeed:
    """CPU seconds a pass, by the size of the batch, and a token of a prompt: on one thread, what it takes when undisturbed."""
    rng = random.Random(0)

    async def ask(prompt: int, answer: int, count: int) -> float:
        prompts = [[rng.randrange(10, vocabulary) for _ in range(prompt)] for _ in range(count)]
        begun = processes.cpu_seconds()
        await asyncio.gather(*(agent.act(ids, Sampling(max_tokens=answer, stop_token_ids=[])) for ids in prompts))
        return processes.cpu_seconds() - begun

    await ask(16, ANSWER, 2)
    prefill = await ask(PROMPT, 1, 4) / (4 * PROMPT)
    passes = {batch: (await ask(16, ANSWER, batch) - batch * 16 * prefill) / ANSWER for batch in BATCHES}
    return ModelSpeed(*line(passes), prefill, max(BATCHES))


def line(points: Mapping[int, float]) -> tuple[float, float]:
    """Least squares: value at 0 and slope, neither below 0."""
    count, x, y = len(points), sum(points) / len(points), sum(points.values()) / len(points)
    spread = sum((at - x) ** 2 for at in points)
    slope = max(0.0, sum((at - x) * (value - y) for at, value in points.items()) / spread) if count > 1 else 0.0
    return max(0.0, y - slope * x), slope


# --- the store ------------------------------------------------------------------------------------------------


def commit_rate(url: str | Path, threads: int, count: int) -> float:
    """Trajectories of fifteen steps committed a second, each in a transaction, by so many threads on one store."""
    said = [Said("student", f"Thought: {'word ' * 20}\nAction: look", "You see a lamp. " * 8, ids=list(range(48)))] * 15
    documents = [trajectory(said, task=f"task-{number}") for number in range(count)]

    async def commit(store: TrajectoryStore, some: Sequence[Trajectory]) -> None:
        for document in some:
            await asyncio.to_thread(store.commit, document, kept=True)

    async def everyone() -> float:
        with TrajectoryStore(url) as store:
            begun = time.perf_counter()
            await asyncio.gather(*(commit(store, documents[thread::threads]) for thread in range(threads)))
            return count / (time.perf_counter() - begun)

    return asyncio.run(everyone())


# --- episodes -------------------------------------------------------------------------------------------------


async def counters(url: str) -> dict[str, float]:
    """What the agent service has counted."""
    async with httpx.AsyncClient() as client:
        return {name: float(value) for name, value in _COUNTER.findall((await client.get(f"{url}/metrics")).text)}


@dataclass
class Bench:
    """Servers that run, and what is needed to play on them."""

    stage: Stage
    server: Processes
    model: str


async def measure(bench: Bench, speed: ModelSpeed, at_once: Sequence[int]) -> tuple[Workload, list[Played]]:
    """Play at each number of episodes at once; the first says what an episode asks for, each is simulated by that."""
    tasks = await select_tasks(bench.stage.environment, TaskSelection(split="embedded_train", limit=2 * max(at_once)))
    await at_own_pace(bench.stage, tasks[:2], 2)
    server = bench.server
    rates: dict[int, float] = {}
    workload: Workload | None = None
    for number in at_once:
        some = tasks[: max(8, 2 * number)]
        before, cpu, mine, begun = (
            await counters(bench.model),
            server.cpu_seconds(),
            time.process_time(),
            time.perf_counter(),
        )
        steps = await at_own_pace(bench.stage, some, number)
        rates[number] = 60 * len(some) / (time.perf_counter() - begun)
        after = await counters(bench.model)
        if workload is None:
            used = {name: (after[name] - before[name]) / after_requests(before, after) for name in after}
            workload = Workload(
                environment="alfworld",
                steps=steps / len(some),
                first=round(used["prompt_tokens"] / 2),
                observed=round(used["prompt_tokens"] - used["cached_tokens"]),
                answer=round(used["generated_tokens"]),
                begin=0.0,
                act=(server.cpu_seconds() - cpu) / steps,
                client=(time.process_time() - mine) / steps,
                step_bytes=1500,
                token_bytes=6.0,
            )
    assert workload is not None
    room = Room(1, speed, cores=1, writers=1, commit=1e-4, link=1.25e9)
    found: list[Played] = []
    for number, rate in rates.items():
        outcome = simulate(workload, room, 1, number, warm_up=60.0, seconds=600.0)
        found.append(Played(number, rate, 60 * outcome.episodes))
    return workload, found


def after_requests(before: Mapping[str, float], after: Mapping[str, float]) -> float:
    """Requests between two looks."""
    return after["requests"] - before["requests"]


async def calibrate(at_once: Sequence[int]) -> tuple[ModelSpeed, Workload, list[Played]]:
    """Everything that needs servers."""
    checkpoint = locate(NAME)
    async with AsyncExitStack() as stack:
        place, process = stack.enter_context(serving("alfworld"))
        model, thinker = stack.enter_context(serving("agent", ["--checkpoint", checkpoint]))
        environment = await stack.enter_async_context(EnvironmentClient(place))
        agent = await stack.enter_async_context(AgentClient(model))
        renderer = Renderer.from_tokenizer((await asyncio.to_thread(open_base, checkpoint)).tokenizer)
        speed = await pace(agent, Processes(thinker.pid), (await agent.info()).vocabulary)
        player = Student(agent, renderer, SamplingConfig(temperature=0.7, max_new_tokens=64, logprobs=False))
        bench = Bench(Stage(environment, player, EpisodeConfig(max_steps=STEPS)), Processes(process.pid), model)
        return speed, *await measure(bench, speed, at_once)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What the simulation takes from this machine.")
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--database", help="measure commits here too: a database URL")
    parser.add_argument("--output", type=Path, help="a file for all of it, as JSON")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        commits = {threads: commit_rate(Path(folder) / f"{threads}.db", threads, 400) for threads in (1, 8)}
    speed, workload, played = asyncio.run(calibrate(given.at_once))
    found = Calibration(speed, workload, 1 / max(commits.values()), commits, played)
    if given.output is not None:
        given.output.write_bytes(orjson.dumps(asdict(found), option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS))
    passes = f"a pass {speed.base * 1e3:.2f} ms + {speed.each * 1e3:.3f} ms a sequence"
    print(f"model: {passes}, a token of a prompt {speed.prefill * 1e6:.0f} µs")
    print(f"episode: {workload}")
    print("commits/s: " + ", ".join(f"{rate:,.0f} by {threads} thread(s)" for threads, rate in commits.items()))
    if given.database:
        print("commits/s there: " + ", ".join(f"{commit_rate(given.database, n, 400):,.0f} by {n} thread(s)" for n in (1, 8)))
    print("\n| at once | measured episodes/min | simulated | error |\n|---|---|---|---|")
    for each in played:
        print(f"| {each.at_once} | {each.measured:.1f} | {each.simulated:.1f} | {100 * each.error:+.0f} % |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
