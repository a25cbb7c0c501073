"""Clients of AgentGym's routes that have gone and ask again while what they asked for is still in the making."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx
import pytest

from shared.environment import Episode
from tests.support.cellar import Cellar
from tests.support.waiting import until
from tests.unit.services.envserver.conftest import Serve


class SlowToBegin(Cellar):
    """A cellar whose episodes begin when the door is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.door = asyncio.Event()

    async def reset(self, task_id: str, seed: int, options: Mapping[str, str]) -> Episode:
        episode = await super().reset(task_id, seed, options)
        await self.door.wait()
        return episode


@pytest.fixture
def cellar() -> SlowToBegin:
    return SlowToBegin()


async def reset(client: httpx.AsyncClient, slot: int, data_idx: int = 0) -> httpx.Response:
    return await client.post("/agentgym/reset", json={"id": slot, "data_idx": data_idx})


async def settled() -> None:
    """Nothing here waits for anything outside of this loop: so after some turns of it, everybody is as far as can be."""
    for _ in range(200):
        await asyncio.sleep(0)


async def sessions(client: httpx.AsyncClient) -> int:
    return (await client.get("/v1/environment")).json()["sessions"]


async def test_a_reset_that_is_repeated_leaves_one_session_and_the_last_one_counts(serve: Serve, cellar: SlowToBegin) -> None:
    async with serve() as client:
        slot = (await client.post("/agentgym/create")).json()["id"]
        first = asyncio.create_task(reset(client, slot, 0))
        await until(lambda: cellar.resets == 1)
        second = asyncio.create_task(reset(client, slot, 1))
        await settled()
        cellar.door.set()
        answers = [answer.json() for answer in await asyncio.gather(first, second)]
        assert [answer["var_num"] for answer in answers] == [0, 1]
        detail = (await client.get("/agentgym/detail", params={"id": slot})).json()
        assert detail["observation"] == answers[1]["observation"]
        assert await sessions(client) == 1
        await client.post("/agentgym/close", json={"id": slot})
        assert await sessions(client) == 0
        await until(lambda: cellar.open_episodes == 0)


async def test_a_close_during_a_reset_leaves_nothing(serve: Serve, cellar: SlowToBegin) -> None:
    async with serve() as client:
        slot = (await client.post("/agentgym/create")).json()["id"]
        resetting = asyncio.create_task(reset(client, slot))
        await until(lambda: cellar.resets == 1)
        late = asyncio.create_task(reset(client, slot))
        await settled()
        closing = asyncio.create_task(client.post("/agentgym/close", json={"id": slot}))
        await settled()
        cellar.door.set()
        assert (await resetting).status_code == 200
        assert (await closing).json() == {"closed": True}
        assert (await late).status_code == 404
        assert (await client.get("/agentgym/detail", params={"id": slot})).status_code == 404
        assert await sessions(client) == 0
        await until(lambda: cellar.open_episodes == 0)
