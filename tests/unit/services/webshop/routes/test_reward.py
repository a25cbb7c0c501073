"""The reward's route: its answer after the purchase, and its problems."""

from __future__ import annotations

import httpx
import pytest

from services.webshop.purchase import Purchase
from services.webshop.world import World
from shared.errors import ERRORS, PROBLEM_MEDIA_TYPE
from tests.unit.services.webshop.routes.conftest import Serve

TASK = "synthetic-1"
REWARD = "/v1/sessions/a/reward"


def problem(response: httpx.Response, code: str) -> None:
    assert response.headers["content-type"] == PROBLEM_MEDIA_TYPE
    assert (response.json()["code"], response.status_code) == (code, ERRORS[code].status)


async def step(client: httpx.AsyncClient, seq: int, action: str) -> float:
    response = await client.post("/v1/sessions/a/steps", json={"seq": seq, "action": action})
    return response.json()["score"]


async def test_it_tells_what_was_bought_and_why_it_earned_that(serve: Serve, world: World) -> None:
    product = world.stock.catalogue[world.tasks.goal(TASK).product]
    async with serve() as client:
        await client.put("/v1/sessions/a", json={"task_id": TASK})
        for seq, action in enumerate((f"search[{product.name}]", f"click[{product.asin}]"), 1):
            await step(client, seq, action)
        score = await step(client, 3, "click[buy now]")
        response = await client.get(REWARD)
        found = Purchase.model_validate_json(response.content)
        assert response.json()["reward"]["r_price"] is True
        assert (found.asin, found.reward.total) == (product.asin, score)
        assert (await client.get(REWARD)).content == response.content


@pytest.mark.parametrize("expert", [False, True])
async def test_it_tells_nothing_before_the_purchase(serve: Serve, expert: bool) -> None:
    async with serve(expert=expert) as client:
        await client.put("/v1/sessions/a", json={"task_id": TASK, "max_steps": 1})
        problem(await client.get(REWARD), "nothing_bought")
        await step(client, 1, "search[lamp]")
        problem(await client.get(REWARD), "nothing_bought")


async def test_a_session_that_is_unknown_or_gone_has_none(serve: Serve) -> None:
    async with serve() as client:
        problem(await client.get(REWARD), "session_not_found")
        await client.put("/v1/sessions/a", json={"task_id": TASK})
        await client.delete("/v1/sessions/a")
        problem(await client.get(REWARD), "session_gone")


async def test_openapi_knows_its_answer(serve: Serve) -> None:
    async with serve() as client:
        document = (await client.get("/openapi.json")).json()
    answers = document["paths"]["/v1/sessions/{session_id}/reward"]["get"]["responses"]
    assert {"200", "401", "404", "409", "410"} <= set(answers)
    assert {"r_type", "r_att", "r_option", "r_price"} <= set(document["components"]["schemas"]["Reward"]["properties"])
