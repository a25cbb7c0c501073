"""What a client may send, and how much of a server it may take: on every service, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.integration.security.conftest import CAPACITY, OTHER, PER_CLIENT, SECRET, Subject, bearing, problem
from tests.support.server import ServerProcess

pytestmark = pytest.mark.slow
MEBIBYTE = 1 << 20
ANN, BOB = bearing(SECRET), bearing(OTHER)


async def send(client: httpx.AsyncClient, subject: Subject, content: bytes | AsyncGenerator[bytes]) -> httpx.Response:
    method, path = subject.body
    return await client.request(method, path, headers={**ANN, "content-type": "application/json"}, content=content)


def refused(answer: httpx.Response, code: str, status: int) -> None:
    """The problem, in OpenAI's words where its clients call."""
    if answer.headers["content-type"] == "application/json":
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    else:
        problem(answer, code, status)


async def test_a_body_is_limited_with_and_without_a_length(client: httpx.AsyncClient, subject: Subject) -> None:
    async def chunks() -> AsyncGenerator[bytes]:
        for _ in range(40):
            yield b" " * 65_536

    refused(await send(client, subject, b" " * (MEBIBYTE + 1)), "body_too_large", 413)
    refused(await send(client, subject, chunks()), "body_too_large", 413)
    assert (await client.get("/readyz")).status_code == 200


async def test_a_body_without_a_token_is_not_even_read(client: httpx.AsyncClient, subject: Subject) -> None:
    if subject.name == "viewer":
        pytest.skip("its one body is the token")
    method, path = subject.body
    answer = await client.request(method, path, content=b" " * (MEBIBYTE + 1))
    assert answer.status_code == 401


@pytest.mark.parametrize("path", ["/healthz?" + "a" * 40_000, "/" + "a" * 40_000, "/healthz"], ids=["query", "path", "header"])
async def test_heads_are_limited(client: httpx.AsyncClient, path: str) -> None:
    headers = {"x-long": "a" * 40_000} if path == "/healthz" else {}
    problem(await client.get(path, headers=headers), "head_too_large", 431)


@pytest.mark.parametrize("depth", [1_000, 100_000, 500_000])
async def test_deep_nesting_is_a_bad_body_and_no_crash(client: httpx.AsyncClient, subject: Subject, depth: int) -> None:
    if subject.name == "viewer":
        pytest.skip("it reads no JSON")
    for content in (b"[" * depth, b"[" * depth + b"]" * depth, b'{"a":' * (depth // 5)):
        answer = await send(client, subject, content)
        assert answer.status_code in (400, 422)
        assert len(answer.content) < 10_000
    assert (await client.get("/healthz")).status_code == 200


async def test_a_batch_has_at_most_1024_steps(client: httpx.AsyncClient, subject: Subject) -> None:
    if subject.task is None:
        pytest.skip("no environment")
    steps = [{"session_id": f"s{number}", "seq": 1, "action": "look"} for number in range(1025)]
    problem(await client.post("/v1/steps", headers=ANN, json={"steps": steps}), "invalid_request", 422)
    answer = await client.post("/v1/steps", headers=ANN, json={"steps": steps[:1024]})
    assert {item["problem"]["code"] for item in answer.json()["results"]} == {"session_not_found"}


async def test_lists_are_cut(client: httpx.AsyncClient, subject: Subject) -> None:
    if subject.task is None:
        pytest.skip("no environment")
    for path in ("/v1/tasks", "/v1/sessions"):
        problem(await client.get(path, params={"limit": 1001}, headers=ANN), "invalid_request", 422)


async def test_one_client_cannot_take_every_session(client: httpx.AsyncClient, subject: Subject) -> None:
    if subject.task is None:
        pytest.skip("no environment")
    body = {"task_id": subject.task}
    for number in range(PER_CLIENT):
        assert (await client.put(f"/v1/sessions/ann-{number}", headers=ANN, json=body)).status_code == 201
    full = await client.put("/v1/sessions/ann-more", headers=ANN, json=body)
    problem(full, "too_many_sessions", 429)
    assert int(full.headers["retry-after"]) >= 1
    problem(await client.post("/v1/sessions/ann-0/fork", headers=ANN, json={}), "too_many_sessions", 429)
    elsewhere = {**ANN, "x-forwarded-for": "203.0.113.9"}
    problem(await client.post("/v1/sessions", headers=elsewhere, json=body), "too_many_sessions", 429)
    slot = (await client.post("/agentgym/create", headers=ANN)).json()["id"]
    problem(await client.post("/agentgym/reset", headers=ANN, json={"id": slot, "data_idx": 0}), "too_many_sessions", 429)
    for number in range(CAPACITY - PER_CLIENT):
        assert (await client.put(f"/v1/sessions/bob-{number}", headers=BOB, json=body)).status_code == 201
    problem(await client.put("/v1/sessions/bob-more", headers=BOB, json=body), "over_capacity", 429)
    for name in [f"ann-{number}" for number in range(PER_CLIENT)] + [
        f"bob-{number}" for number in range(CAPACITY - PER_CLIENT)
    ]:
        assert (await client.delete(f"/v1/sessions/{name}", headers=BOB)).status_code == 204


async def test_an_episode_is_bounded(client: httpx.AsyncClient, subject: Subject) -> None:
    if subject.task is None:
        pytest.skip("no environment")
    answer = await client.post("/v1/sessions", headers=ANN, json={"task_id": subject.task, "max_steps": 10_001})
    problem(answer, "invalid_request", 422)


async def test_a_prompt_is_bounded(client: httpx.AsyncClient, subject: Subject) -> None:
    if subject.name != "agent":
        pytest.skip("no agent")
    answer = await client.post("/v1/react/steps", headers=ANN, json={"prompt_token_ids": [1] * 100_000})
    problem(answer, "prompt_too_long", 422)
    messages = [{"role": "user", "content": "go"}] * 20_000
    refused(
        await client.post("/v1/chat/completions", headers=ANN, json={"model": "base", "messages": messages}),
        "prompt_too_long",
        422,
    )


@pytest.mark.parametrize("trusted", ["", "127.0.0.1"])
async def test_an_address_is_what_a_trusted_proxy_tells(trusted: str) -> None:
    limits = {"RESTEP_SESSIONS_PER_CLIENT": "1", "RESTEP_TRUSTED_PROXIES": trusted}
    with ServerProcess(["tests/support/cellar.py", "0"], limits) as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
            for host in ("203.0.113.1", "203.0.113.2"):
                headers = {"x-forwarded-for": host}
                last = await client.post("/v1/sessions", headers=headers, json={"task_id": "cellar/1"})
    assert last.status_code == (201 if trusted else 429)


@pytest.mark.parametrize(
    ("headers", "code", "status"),
    [
        ({"origin": "https://attacker.example"}, "foreign_page", 403),
        ({"origin": "null"}, "foreign_page", 403),
        ({"host": "attacker.example", "origin": "http://attacker.example"}, "foreign_host", 421),
        ({"host": "attacker.example:8003"}, "foreign_host", 421),
    ],
)
async def test_a_page_of_somebody_else_reaches_no_open_server(headers: dict[str, str], code: str, status: int) -> None:
    with ServerProcess(["tests/support/cellar.py", "0"]) as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
            problem(await client.post("/v1/sessions", headers=headers, json={"task_id": "cellar/1"}), code, status)
            with pytest.raises(InvalidStatus, match="403"):
                await connect(f"ws://127.0.0.1:{server.port}/ws", proxy=None, additional_headers={"Origin": "null"})
            own = {"origin": server.url}
            assert (await client.post("/v1/sessions", headers=own, json={"task_id": "cellar/1"})).status_code == 201
