"""Who carries an order out: in this process, or in a process anywhere that the same addresses lead from.

Several may have the same order: each unit is played by whoever claims it in the store, and all are done when it is.
What takes its time to import is imported where an order needs it.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import assert_never

from shared.client import EnvironmentClient
from shared.client.agent import AgentClient
from shared.settings import client_token
from shared.store import TrajectoryStore
from trainer.collection import Collected
from trainer.evaluate import EvaluateConfig, collect_evaluation
from trainer.golden import GoldenConfig, collect_golden
from trainer.order import Order, StudentOrder, TeacherOrder
from trainer.progress import Report
from trainer.reflect import ReflectConfig, collect_reflected
from trainer.rollout import Player
from trainer.teacher.base import Teacher


class Worker:
    """Of one order. It opens the store and every client for itself, and closes them."""

    def __init__(self, order: Order) -> None:
        """Nothing is opened yet."""
        self.order = order

    async def run(self, report: Report | None = None) -> Collected:
        """Play until the run holds every unit of the order, or has given it up.

        Raises what :func:`collect_golden`, :func:`collect_reflected` and :func:`collect_evaluation` do.
        """
        for name, value in self.order.variables.items():
            os.environ.setdefault(name, value)
        async with AsyncExitStack() as stack:
            store = stack.enter_context(self.order.open_store())
            environment = await stack.enter_async_context(EnvironmentClient(self.order.environment, client_token()))
            return await self._collect(stack, environment, store, report)

    async def _collect(
        self, stack: AsyncExitStack, environment: EnvironmentClient, store: TrajectoryStore, report: Report | None
    ) -> Collected:
        order, config = self.order, self.order.config
        common = (order.run, order.tasks, environment)
        if isinstance(config, GoldenConfig):
            player = await stack.enter_async_context(_golden_player(order, config, store))
            return await collect_golden(*common, store, order.episode, config, report, player, layout=order.layout)
        assert order.student is not None
        student = await stack.enter_async_context(_student(order.student))
        if isinstance(config, EvaluateConfig):
            return await collect_evaluation(*common, student, store, order.episode, config, report, layout=order.layout)
        if isinstance(config, ReflectConfig):  # pyright: ignore[reportUnnecessaryIsInstance]  # the last of the union
            assert order.teacher is not None
            teacher = await _teacher(stack, order.teacher, config, environment, store, order.run)
            return await collect_reflected(*common, student, teacher, store, order.episode, config, report)
        assert_never(config)


@asynccontextmanager
async def _student(student: StudentOrder) -> AsyncGenerator[Player]:
    from trainer.student import Student

    async with AgentClient(student.urls, client_token()) as agent:
        await agent.load(student.checkpoint)
        yield Student(agent, student.renderer, student.sampling)


@asynccontextmanager
async def _golden_player(order: Order, config: GoldenConfig, store: TrajectoryStore) -> AsyncGenerator[Player | None]:
    """Who plays golden episodes; None where it is the environment's expert."""
    if config.player == "expert":
        yield None
        return
    from trainer.teacher.endpoint import Endpoint
    from trainer.teacher.ledger import GOLDEN, Ledger
    from trainer.teacher.player import EndpointPlayer, Golden

    if order.student is not None:
        async with _student(order.student) as student:
            yield Golden(student)
    else:
        assert config.endpoint is not None
        ledger = Ledger(store.books(GOLDEN), config.budget, config.prices)
        async with Endpoint(config.endpoint, ledger) as endpoint:
            yield Golden(EndpointPlayer(endpoint, order.run))


async def _teacher(
    stack: AsyncExitStack,
    teacher: TeacherOrder,
    config: ReflectConfig,
    environment: EnvironmentClient,
    store: TrajectoryStore,
    run: str,
) -> Teacher:
    from trainer.teacher.teachers import Teachers

    teachers = Teachers(teacher.options, config.judge, store)
    stack.push_async_callback(teachers.close)
    return await teachers.of(await environment.info(), run, teacher.golden, teacher.prompts)
