"""Many episodes on one model server: each going at its own pace, against a lockstep loop in which all step together.

``python -m benchmarks.agent`` starts an environment server and an agent server, and lets the same model play the same
tasks in both loops, 1, 16 and 64 episodes at a time; with RESTEP_VLLM_PYTHON in the environment on vLLM as well.
Busy is the share of the time in which the model server was computing, by its own counter.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from shared.client import EnvironmentClient, RemoteEpisode
from shared.client.agent import AgentClient
from shared.protocol import TaskInfo
from trainer.checkpoint import open_base
from trainer.render import Renderer
from trainer.rollout import Draft, EpisodeConfig, Player, Policy, SamplingConfig, play
from trainer.servers import local_server
from trainer.shipped import NAME, locate
from trainer.student import Student
from trainer.tasks import TaskSelection, select_tasks

AT_ONCE: Final = (1, 16, 64)
_BUSY: Final = re.compile(r"^restep_agent_busy_seconds(?:_total)? (\S+)$", re.MULTILINE)


Begun = tuple[RemoteEpisode, Draft, Policy]


@dataclass(frozen=True)
class Stage:
    """Where episodes are played, and how."""

    environment: EnvironmentClient
    player: Player
    episode: EpisodeConfig

    async def begin(self, task: TaskInfo) -> Begun:
        """A new episode of a task."""
        played = await self.episode.open(self.environment, task.id)
        draft = Draft(await self.environment.info(), played.view)
        return played, draft, self.player.begin(draft, 0)


Loop = Callable[[Stage, Sequence[TaskInfo], int], Awaitable[int]]
"""Plays all tasks, so many at a time; the number of steps taken."""


async def at_own_pace(stage: Stage, tasks: Sequence[TaskInfo], at_once: int) -> int:
    """Every episode asks when it is ready, and the next task takes the place of a finished one."""
    left, steps = iter(tasks), 0

    async def worker() -> None:
        nonlocal steps
        for task in left:
            played, draft, policy = await stage.begin(task)
            async with played:
                await play(played, draft, policy, "student")
            steps += draft.executed

    await asyncio.gather(*(worker() for _ in range(at_once)))
    return steps


async def in_lockstep(stage: Stage, tasks: Sequence[TaskInfo], at_once: int) -> int:
    """A batch of episodes: all are answered, then all step, until the last of them is over; then the next batch."""
    steps = 0
    for start in range(0, len(tasks), at_once):
        batch = tasks[start : start + at_once]
        everyone: list[Begun] = list(await asyncio.gather(*(stage.begin(task) for task in batch)))
        running: list[Begun] = everyone
        while running:
            running = await _round(running)
        await asyncio.gather(*(played.close() for played, _, _ in everyone))
        steps += sum(draft.executed for _, draft, _ in everyone)
    return steps


async def _round(running: list[Begun]) -> list[Begun]:
    """All are answered, then all step; those that go on."""
    answers = await asyncio.gather(*(policy.act(draft) for _, draft, policy in running))
    going = [(each, answer) for each, answer in zip(running, answers, strict=True) if answer is not None]
    results = await asyncio.gather(*(played.step(answer.turn.action) for (played, _, _), answer in going))
    for ((_, draft, _), answer), result in zip(going, results, strict=True):
        draft.carry_out(answer, result, "student")
    return [each for each, _ in going if not each[1].over]


LOOPS: Final[dict[str, Loop]] = {"own pace": at_own_pace, "lockstep": in_lockstep}


async def busy_seconds(url: str) -> float:
    """The agent service's counter."""
    async with httpx.AsyncClient() as client:
        found = _BUSY.search((await client.get(f"{url}/metrics")).text)
    if found is None:
        raise SystemExit(f"{url}/metrics has no restep_agent_busy_seconds")
    return float(found[1])


async def measure(stage: Stage, agent_url: str, tasks: Sequence[TaskInfo], at_once: int, loop: str) -> str:
    """A line of the table."""
    before, began = await busy_seconds(agent_url), time.perf_counter()
    steps = await LOOPS[loop](stage, tasks, at_once)
    wall, busy = time.perf_counter() - began, await busy_seconds(agent_url) - before
    cells = (at_once, loop, len(tasks), f"{60 * len(tasks) / wall:.1f}", f"{steps / wall:.1f}", f"{100 * busy / wall:.0f}%")
    return "| " + " | ".join(map(str, cells)) + " |"


async def run(backend: str, arguments: argparse.Namespace) -> None:
    """Both loops at every number of episodes on one back end."""
    checkpoint = locate(arguments.checkpoint)
    vllm = ["--backend", "vllm", "--vllm-python", os.environ.get("RESTEP_VLLM_PYTHON", "")] if backend == "vllm" else []
    async with AsyncExitStack() as stack:
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        place = await stack.enter_async_context(local_server(arguments.environment, [], logs / "environment.log"))
        served = local_server("agent", ["--checkpoint", checkpoint, *vllm], logs / "agent.log")
        model = await stack.enter_async_context(served)
        environment = await stack.enter_async_context(EnvironmentClient(place.url))
        agent = await stack.enter_async_context(AgentClient(model.url))
        renderer = Renderer.from_tokenizer((await asyncio.to_thread(open_base, checkpoint)).tokenizer)
        sampling = SamplingConfig(temperature=0.7, max_new_tokens=64, logprobs=False)
        split = (await environment.info()).splits[0].name
        tasks = await select_tasks(environment, TaskSelection(split=split, limit=2 * max(arguments.at_once)))
        stage = Stage(environment, Student(agent, renderer, sampling), EpisodeConfig(max_steps=arguments.steps))
        await at_own_pace(stage, tasks[:4], 4)  # the engines compile, and openings are remembered by whoever remembers
        print(f"\n{backend}, {arguments.environment}, at most {arguments.steps} steps an episode\n")
        print("| at once | loop | episodes | episodes/min | steps/s | model busy |\n|---|---|---|---|---|---|")
        for at_once in arguments.at_once:
            for loop in LOOPS:
                print(await measure(stage, model.url, tasks[: max(arguments.least, 2 * at_once)], at_once, loop), flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environment", default="sciworld", help="alfworld, webshop or sciworld, with its embedded data")
    parser.add_argument("--checkpoint", default=NAME, help="the model: a folder, a name, or the base that comes along")
    parser.add_argument("--steps", type=int, default=10, help="step limit of an episode")
    parser.add_argument("--least", type=int, default=4, help="episodes of a measurement; at least two for each at once")
    parser.add_argument("--at-once", type=int, nargs="+", default=list(AT_ONCE))
    parser.add_argument("--quick", action="store_true", help="1, 4 and 16 episodes at once, five steps")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.at_once, arguments.steps = [1, 4, 16], 5
    for backend in ("embedded", *(["vllm"] if os.environ.get("RESTEP_VLLM_PYTHON") else [])):
        asyncio.run(run(backend, arguments))


if __name__ == "__main__":
    main()
