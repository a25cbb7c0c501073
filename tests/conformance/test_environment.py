"""What a server says of itself."""

from __future__ import annotations

import httpx

from shared.protocol import PROTOCOL_VERSION, EnvironmentInfo, TaskPage
from tests.conformance.conftest import CAPACITY, Subject
from tests.conformance.play import begin, end, problem


async def info(client: httpx.AsyncClient) -> EnvironmentInfo:
    return EnvironmentInfo.model_validate_json((await client.get("/v1/environment")).content)


async def test_the_environment_describes_itself(client: httpx.AsyncClient, subject: Subject) -> None:
    found = await info(client)
    assert found.name == subject.name
    assert found.protocol == PROTOCOL_VERSION
    assert found.engine_version
    assert len(found.data_version) >= 8
    assert found.instruction
    assert found.action_grammar
    assert found.max_steps >= 1
    assert found.capacity == CAPACITY
    assert "fork" in found.capabilities
    assert "expert" not in found.capabilities


async def test_the_count_of_sessions_follows_them(client: httpx.AsyncClient, subject: Subject) -> None:
    before = (await info(client)).sessions
    session = await begin(client, subject)
    assert (await info(client)).sessions == before + 1
    await end(client, session)
    assert (await info(client)).sessions == before


async def test_splits_count_their_tasks_and_do_not_overlap(client: httpx.AsyncClient) -> None:
    seen: set[str] = set()
    for split in (await info(client)).splits:
        offset, ids = 0, list[str]()
        while True:
            response = await client.get("/v1/tasks", params={"split": split.name, "offset": offset, "limit": 1000})
            page = TaskPage.model_validate_json(response.content)
            assert page.total == split.tasks
            assert {task.split for task in page.tasks} <= {split.name}
            ids += [task.id for task in page.tasks]
            offset += len(page.tasks)
            if offset >= page.total:
                break
        assert len(set(ids)) == len(ids) == split.tasks
        assert not seen & set(ids)
        seen |= set(ids)


async def test_types_are_the_ones_listed_and_filter(client: httpx.AsyncClient) -> None:
    types = (await info(client)).task_types
    page = TaskPage.model_validate_json((await client.get("/v1/tasks", params={"type": types[0], "limit": 1000})).content)
    assert page.tasks
    assert {task.type for task in page.tasks} == {types[0]}


async def test_a_task_by_split_and_index_is_the_listed_one(client: httpx.AsyncClient, subject: Subject) -> None:
    listed = TaskPage.model_validate_json(
        (await client.get("/v1/tasks", params={"split": subject.split, "offset": 2, "limit": 1})).content
    )
    session = await begin(client, subject, task_id=None, split=subject.split, index=2)
    assert session.task.id == listed.tasks[0].id
    assert session.task.split == subject.split
    assert session.task.goal
    await end(client, session)


async def test_unknown_splits_tasks_and_options(client: httpx.AsyncClient, subject: Subject) -> None:
    problem(await client.get("/v1/tasks?split=nowhere"), "unknown_split")
    creation = "/v1/sessions/unknown-things"
    problem(await client.put(creation, json={"task_id": "no/such/task"}), "unknown_task")
    problem(await client.put(creation, json={"split": subject.split, "index": 10**9}), "unknown_task")
    problem(await client.put(creation, json={"split": "nowhere", "index": 0}), "unknown_split")
    problem(await client.put(creation, json={"task_id": subject.task_id, "options": {"no": "such"}}), "invalid_option")
    problem(await client.get(creation), "session_not_found")


async def test_probes_metrics_and_openapi(client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz")).json()["status"] == "ok"
    assert (await client.get("/readyz")).json()["status"] == "ok"
    assert "restep_sessions " in (await client.get("/metrics")).text
    assert "/v1/steps" in (await client.get("/openapi.json")).json()["paths"]
