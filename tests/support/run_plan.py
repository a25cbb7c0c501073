"""One collection of a few real episodes, as a process that can be killed: ``python -m tests.support.run_plan PLAN``.

Without an agent the environment's expert plays; with one, the model behind it plays at temperature 1 under the expert's
eyes, every step judged in a fork before it is carried out. So a plan with an agent makes every kind of request there is.
Prints the number of finished units; a failure is one line and exit code 1, as of the ``restep`` command.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack

from pydantic import BaseModel

from shared.client import EnvironmentClient, RetryPolicy
from shared.errors import RestepError
from shared.store import TrajectoryStore
from trainer.collection import Collected, CollectionConfig
from trainer.golden import GoldenConfig, collect_golden
from trainer.rollout import EpisodeConfig, SamplingConfig
from trainer.tasks import TaskSelection, select_tasks

RUN = "run"


class Plan(BaseModel):
    """What is collected, from whom and into which store (a path or a URL). ``patience`` is in seconds."""

    store: str
    environment: str
    tasks: TaskSelection
    episode: EpisodeConfig = EpisodeConfig()
    attempts: int = 1
    concurrency: int = 3
    patience: float = 120.0
    agent: str | None = None
    checkpoint: str = ""

    def into(self, store: object) -> Plan:
        """The same collection in another store."""
        return self.model_copy(update={"store": str(store)})

    @property
    def command(self) -> list[str]:
        """Arguments of the interpreter that carry it out."""
        return ["-m", "tests.support.run_plan", self.model_dump_json()]

    def through(self, environment: str, agent: str | None = None) -> Plan:
        """The same collection by other ways to its servers."""
        return self.model_copy(update={"environment": environment, "agent": agent or self.agent})


async def carry_out(plan: Plan, clock: Callable[[], float] | None = None) -> Collected:
    """Collect what the plan's store lacks; leases of units run by ``clock`` where one is given."""
    retry = RetryPolicy(patience=plan.patience)
    async with AsyncExitStack() as stack:
        store = stack.enter_context(TrajectoryStore(plan.store, clock=clock))
        environment = await stack.enter_async_context(EnvironmentClient(plan.environment, retry=retry))
        tasks = await select_tasks(environment, plan.tasks)
        collection = CollectionConfig(attempts=plan.attempts, concurrency=plan.concurrency)
        if plan.agent is None:
            return await collect_golden(RUN, tasks, environment, store, plan.episode, GoldenConfig(collection=collection))

        from shared.client.agent import AgentClient
        from trainer.checkpoint import open_base
        from trainer.reflect import ReflectConfig, collect_reflected
        from trainer.render import Renderer
        from trainer.student import Student
        from trainer.teacher.expert import ExpertTeacher

        info = await environment.info()
        agent = await stack.enter_async_context(AgentClient(plan.agent, retry=retry))
        await agent.load(plan.checkpoint)
        renderer = Renderer.from_tokenizer(open_base(plan.checkpoint).tokenizer)
        student = Student(agent, renderer, SamplingConfig(temperature=1.0, max_new_tokens=24, seed=7, logprobs=False))
        teacher, config = ExpertTeacher(info.name, info.engine_version), ReflectConfig(collection=collection, judge="before")
        return await collect_reflected(RUN, tasks, environment, student, teacher, store, plan.episode, config)


def main(plan: str) -> int:
    """Carry out a plan given as JSON; returns the exit code."""
    try:
        done = asyncio.run(carry_out(Plan.model_validate_json(plan)))
    except RestepError as error:
        sys.stderr.write(f"restep: {error}\n")
        return 1
    sys.stdout.write(f"{done.found + done.finished}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
