"""Drivers that share a store share a language model's budget and its answers, as they would on machines of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from services.envserver.app import create_app
from shared.client import EnvironmentClient
from shared.errors import RestepError
from shared.settings import EnvironmentSettings
from shared.store import TrajectoryStore
from tests.support.corridor import CorridorWorld
from tests.support.corridor_model import corridor_model
from tests.support.live import live
from tests.support.model_server import ModelServer, model_server
from tests.support.scripted import Scripted
from trainer.collection import Collected
from trainer.reflect import ReflectConfig, collect_reflected
from trainer.rollout import EpisodeConfig
from trainer.tasks import TaskSelection, select_tasks
from trainer.teacher.cache import content_key
from trainer.teacher.ledger import TEACHER, Ledger
from trainer.teacher.options import TeacherOptions
from trainer.teacher.teachers import Teachers

LINES = ("go to room 1", "wait", "dance", "go to room 0", "go to room 2", "take lamp")
ANSWER = 110
"""Tokens of one, whatever is asked."""
# One episode at a time, so that a driver that stops has no request in flight, which would be paid and not booked.
CONFIG = ReflectConfig.model_validate({"per_episode": 1.0, "per_position": 9, "collection": {"concurrency": 1}})


@pytest.fixture
async def corridor() -> AsyncGenerator[str]:
    async with live(create_app(CorridorWorld(), EnvironmentSettings(expert=True))) as url:
        yield url


async def drive(corridor: str, place: str, server: ModelServer, tokens: int | None = None, run: str = "reflected") -> Collected:
    """All training tasks, with nothing that another driver has but the addresses."""
    options: dict[str, Any] = {"kind": "llm", "endpoint": server.options(), "budget": {"tokens": tokens}}
    with TrajectoryStore(place, namespace="shared") as store:
        teachers = Teachers(TeacherOptions.model_validate(options), "after", store)
        try:
            async with EnvironmentClient(corridor) as client:
                teacher = await teachers.of(await client.info(), run, "golden")
                tasks = await select_tasks(client, TaskSelection())
                return await collect_reflected(run, tasks, client, Scripted(*LINES), teacher, store, EpisodeConfig(), CONFIG)
        finally:
            await teachers.close()


def documents(place: str) -> list[dict[str, Any]]:
    with TrajectoryStore(place, namespace="shared") as store:
        return [one.model_dump(mode="json", exclude={"created", "id"}) for one in store.trajectories("reflected")]


async def test_a_question_that_one_driver_paid_is_answered_to_the_next(corridor: str, place: str) -> None:
    async with model_server(corridor_model) as server:
        with pytest.raises(RestepError, match="budget_exhausted"):
            await drive(corridor, place, server, tokens=15 * ANSWER)
        assert 0 < len(documents(place)) < 8
        done = await drive(corridor, place, server)
        assert (done.finished + done.found, done.failed) == (done.total, 0)
        asked = [content_key(body) for body in server.bodies]
        assert len(asked) > 15
        again = await drive(corridor, place, server, run="again")
    assert again.finished == again.total
    assert len(asked) == len(server.bodies) == len(set(asked))


async def test_two_drivers_at_once_stop_at_one_budget_and_go_on_with_a_higher_one(
    corridor: str, new_place: Callable[[], str]
) -> None:
    shared, alone = new_place(), new_place()
    async with model_server(corridor_model) as server:
        await drive(corridor, alone, server)
        server.bodies.clear()
        budget = 16 * ANSWER
        both = (drive(corridor, shared, server, budget) for _ in range(2))
        stopped = await asyncio.gather(*both, return_exceptions=True)
        assert [error.code for error in stopped if isinstance(error, RestepError)] == ["budget_exhausted"] * 2
        with TrajectoryStore(shared, namespace="shared") as store:
            spent = Ledger(store.books(TEACHER)).spending()
        assert spent.requests == len(server.bodies)
        # A request is sent while the budget is not spent, so at most the one that each has in flight then comes on top.
        assert budget <= spent.tokens == spent.requests * ANSWER < budget + 2 * ANSWER
        await asyncio.gather(*(drive(corridor, shared, server) for _ in range(2)))
    assert documents(shared) == documents(alone)
