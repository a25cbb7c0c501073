"""What a new verdict of ScienceWorld's expert costs in CPU time, over all tasks.

    python -m benchmarks.verdicts [--episodes 3] [--seed 0] [--verbose]

In each episode the agent follows the plan for a while, then deviates twice in a row, with random valid actions (every
other time, one of another room). The clock is the CPU time of this process and its JVMs together, and runs from the
question to the answer, replays and all; finding the engine's own solution, kept on disk, is done before. Plans of
genetics, and so their verdicts, are by far the longest: they are shown apart. A table in Markdown goes to standard output.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import psutil

from services.sciworld.environment import SciWorld
from services.sciworld.tasks import VARIATIONS
from shared.environment import EpisodeKey

STEPS: Final = 10_000
"""The limit under which the expert is asked: none."""
GENETICS: Final = "mendelian-"
WARM_UP: Final = 6


@dataclass(frozen=True, slots=True)
class Sample:
    """One verdict: its task, what was judged, the plan before it in actions, CPU seconds."""

    task: str
    action: str
    decision: str
    distance: int
    seconds: float


def cpu_seconds(environment: SciWorld) -> float:
    """CPU time of this process and of the JVMs so far."""
    processes = [psutil.Process(), *(psutil.Process(shard.pid) for shard in environment.shards if shard.pid)]
    return sum(times.user + times.system for times in (process.cpu_times() for process in processes))


async def episode(environment: SciWorld, task_id: str, rng: random.Random) -> list[Sample]:
    """Follow the plan to a random point and deviate twice from there."""
    options = {"simplification": rng.choice(("", "easy"))}
    key = EpisodeKey(task_id, 0, tuple(options.items()))
    plan = (await environment.expert(key, STEPS)).actions
    played = plan[: rng.randrange(max(len(plan) - 1, 1))]
    live = await environment.reset(task_id, 0, options)
    samples: list[Sample] = []
    try:
        for action in played:
            await live.step(action)
        for number in range(2):
            valid = [action for action in await live.admissible_actions() if not action.startswith("focus")]
            moves = [action for action in valid if action.startswith(("go to", "open door"))]
            action = rng.choice(moves if moves and number % 2 else valid)
            played = [*played, action]
            done = (await live.step(action)).done
            start = cpu_seconds(environment)
            advice = await environment.expert(EpisodeKey(task_id, 0, tuple(options.items()), tuple(played)), STEPS)
            verdict = advice.verdict
            assert verdict is not None
            seconds = cpu_seconds(environment) - start
            samples.append(Sample(task_id, action, verdict.decision, verdict.distance_before or 0, seconds))
            if done:
                break
    finally:
        await live.close()
    return samples


async def measure(episodes: int, seed: int) -> list[Sample]:
    """All samples; the JVMs are warmed by a few episodes that do not count."""
    environment, rng = SciWorld(), random.Random(seed)
    await environment.start()
    try:
        samples: list[Sample] = []
        tasks = [f"{name}/{rng.randrange(sum(VARIATIONS[name]))}" for name in VARIATIONS for _ in range(episodes)]
        warm = [task for task in tasks if not task.startswith(GENETICS)]
        for task in rng.sample(warm, WARM_UP):
            await episode(environment, task, rng)
        for task in tasks:
            samples += await episode(environment, task, rng)
        return samples
    finally:
        await environment.stop()


def row(name: str, samples: Sequence[Sample]) -> str:
    """A line of the table."""
    seconds = sorted(sample.seconds for sample in samples)
    within = sum(second <= 0.5 for second in seconds) / len(seconds)
    cells = [
        name,
        len(seconds),
        f"{statistics.mean(seconds):.2f}",
        f"{statistics.median(seconds):.2f}",
        f"{seconds[int(0.9 * (len(seconds) - 1))]:.2f}",
        f"{seconds[-1]:.2f}",
        f"{100 * within:.0f}%",
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=3, help="episodes a task")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--verbose", action="store_true", help="print every verdict")
    arguments = parser.parse_args()
    samples = asyncio.run(measure(arguments.episodes, arguments.seed))
    if arguments.verbose:
        for s in samples:
            print(f"{s.seconds:6.2f} {s.distance:4d} {s.decision:10} {s.task:45} {s.action}")
    print("| | verdicts | mean CPU-s | median | p90 | max | within 0.5 |\n|---|---|---|---|---|---|---|")
    shorter = [sample for sample in samples if not sample.task.startswith(GENETICS)]
    for name, some in (
        ("plans of up to 50 actions", [s for s in shorter if s.distance <= 50]),
        ("longer plans", [s for s in shorter if s.distance > 50]),
        ("genetics", [s for s in samples if s.task.startswith(GENETICS)]),
        ("all", samples),
    ):
        if some:
            print(row(name, some))


if __name__ == "__main__":
    main()
