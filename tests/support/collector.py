"""A collection as a process of its own, to be killed: ``collector.py KIND SERVER STORE [AGENT CHECKPOINT]``.

KIND is ``golden`` (the expert), ``scripted`` (a fixed player under the teacher) or ``student`` (a model behind the agent
service under the teacher). Prints the number of finished units when it gets to the end.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack

from shared.client import EnvironmentClient
from shared.store import TrajectoryStore
from tests.support.scripted import Scripted
from trainer.collection import Collected, CollectionConfig
from trainer.golden import GoldenConfig, collect_golden
from trainer.reflect import ReflectConfig, collect_reflected
from trainer.rollout import EpisodeConfig, Player, SamplingConfig
from trainer.tasks import TaskSelection, select_tasks
from trainer.teacher.expert import ExpertTeacher

ATTEMPTS = {"golden": 8, "scripted": 8, "student": 3}
LINES = ("go to room 1", "wait", "go to room 3", "dance", "take lamp", "take lamp", "go to room 0")


async def collect_all(kind: str, server: str, database: str, agent: Sequence[str] = ()) -> Collected:
    """Everything there is to collect from the training split."""
    async with AsyncExitStack() as stack:
        store = stack.enter_context(TrajectoryStore(database))
        environment = await stack.enter_async_context(EnvironmentClient(server))
        tasks = await select_tasks(environment, TaskSelection(split="train"))
        collection = CollectionConfig(attempts=ATTEMPTS[kind], concurrency=4)
        if kind == "golden":
            return await collect_golden("run", tasks, environment, store, EpisodeConfig(), GoldenConfig(collection=collection))
        player: Player = Scripted(*LINES) if kind == "scripted" else await _student(stack, *agent)
        teacher, episode, config = (
            ExpertTeacher("corridor", "1"),
            EpisodeConfig(max_steps=9),
            ReflectConfig(collection=collection),
        )
        return await collect_reflected("run", tasks, environment, player, teacher, store, episode, config)


async def _student(stack: AsyncExitStack, url: str, checkpoint: str) -> Player:
    from shared.client.agent import AgentClient
    from trainer.checkpoint import open_base
    from trainer.render import Renderer
    from trainer.student import Student

    agent = await stack.enter_async_context(AgentClient(url))
    renderer = Renderer.from_tokenizer(open_base(checkpoint).tokenizer)
    return Student(agent, renderer, SamplingConfig(temperature=1.0, max_new_tokens=8, seed=7, logprobs=False))


if __name__ == "__main__":
    done = asyncio.run(collect_all(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]))
    sys.stdout.write(f"{done.found + done.finished}\n")
