"""AgentGym's routes: what its clients send, and what they read from the answers."""

from __future__ import annotations

import httpx

from services.alfworld.library import embedded_library
from services.webshop.library import embedded_stock
from services.webshop.world import World
from tests.conformance.conftest import Subject
from tests.conformance.play import problem


async def reset(client: httpx.AsyncClient, slot: int, data_idx: int) -> httpx.Response:
    return await client.post("/agentgym/reset", json={"id": slot, "data_idx": data_idx})


async def create(client: httpx.AsyncClient) -> int:
    return (await client.post("/agentgym/create")).json()["id"]


async def sessions(client: httpx.AsyncClient) -> int:
    return (await client.get("/v1/environment")).json()["sessions"]


async def test_slots_are_reset_stepped_and_closed(client: httpx.AsyncClient, subject: Subject) -> None:
    before = await sessions(client)
    first, second = await create(client), await create(client)
    assert first != second
    begun = (await reset(client, first, 3)).json()
    assert begun["task_description"]
    assert begun["observation"]
    assert (begun["reward"], begun["score"], begun["done"], begun["deleted"]) == (0, 0, False, False)
    other = (await reset(client, second, 0)).json()
    assert (other["task_name"], other["var_num"]) != (begun["task_name"], begun["var_num"])
    moved = (await client.post("/agentgym/step", json={"id": first, "action": subject.actions[0]})).json()
    assert set(moved) == {"observation", "reward", "score", "done"}
    assert (await client.get("/agentgym/observation", params={"id": first})).json() == moved["observation"]
    assert (await client.get("/agentgym/detail", params={"id": first})).json() == {"deleted": False, **moved}
    assert await sessions(client) == before + 2
    assert (await reset(client, first, 3)).json() == begun
    assert await sessions(client) == before + 2
    for slot in (first, second, second):
        assert (await client.post("/agentgym/close", json={"id": slot})).status_code == 200
    assert await sessions(client) == before


async def test_a_score_is_on_its_scale(client: httpx.AsyncClient, subject: Subject) -> None:
    slot = await create(client)
    if subject.name == "sciworld":  # boil/0: focusing on the wrong thing fails the task
        await reset(client, slot, 0)
        failed = (await client.post("/agentgym/step", json={"id": slot, "action": "focus on door to hallway"})).json()
        last = (await client.post("/agentgym/step", json={"id": slot, "action": "focus on agent"})).json()
        assert -100 in (failed["score"], last["score"])
    elif subject.name == "alfworld":  # the goal is all or nothing
        await reset(client, slot, 0)
        library = embedded_library()
        answers = [
            (await client.post("/agentgym/step", json={"id": slot, "action": action})).json()
            for action in library.load(library.tasks()[0].id).walkthrough or ()
        ]
        assert [(answer["score"], answer["reward"]) for answer in answers] == [*[(0, 0)] * (len(answers) - 1), (1, 1)]
    elif subject.name == "webshop":  # a purchase earns a share
        goal = (await reset(client, slot, 0)).json()["task_description"]
        world = World(embedded_stock())
        product = world.stock.catalogue[world.tasks.goal("synthetic-0").product]
        assert goal == world.tasks.goal("synthetic-0").text
        answers = [
            (await client.post("/agentgym/step", json={"id": slot, "action": action})).json()
            for action in (f"search[{product.name}]", f"click[{product.asin}]", "click[buy now]")
        ]
        assert [answer["score"] for answer in answers[:2]] == [0, 0]
        assert 0 < answers[2]["score"] == answers[2]["reward"] < 1
    else:
        await reset(client, slot, 0)
        taken = (await client.post("/agentgym/step", json={"id": slot, "action": "take key"})).json()
        assert (taken["score"], taken["reward"]) == (0.5, 0.5)
    await client.post("/agentgym/close", json={"id": slot})


async def test_its_list_of_tasks_ends_where_it_ends_there(client: httpx.AsyncClient, subject: Subject) -> None:
    slot = await create(client)
    shop = len(World(embedded_stock()).tasks.select())
    tasks = {"sciworld": 4639, "cellar": 16, "alfworld": len(embedded_library().tasks()), "webshop": shop}[subject.name]
    assert (await reset(client, slot, tasks - 1)).status_code == 200
    problem(await reset(client, slot, tasks), "unknown_task")
    problem(await reset(client, slot, -1), "unknown_task")
    await client.post("/agentgym/close", json={"id": slot})


async def test_wrong_slots_are_errors_with_an_errors_status(client: httpx.AsyncClient) -> None:
    problem(await reset(client, 10**6, 0), "session_not_found")
    slot = await create(client)
    problem(await client.post("/agentgym/step", json={"id": slot, "action": "look around"}), "session_not_found")
    problem(await client.get("/agentgym/observation", params={"id": slot}), "session_not_found")
    problem(await client.post("/agentgym/step", json={"id": "first", "action": "look around"}), "invalid_request")
