"""What real networks do: broken bodies, huge ones, clients that leave or dawdle."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import httpx
import orjson
import pytest

from shared.protocol import SessionHistory, SessionView
from tests.conformance.conftest import Subject
from tests.conformance.play import begin, end, play, problem, step
from tests.support.server import ServerProcess


def request_bytes(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: server\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def step_bytes(session: SessionView, seq: int, action: str) -> bytes:
    return request_bytes(f"/v1/sessions/{session.session_id}/steps", orjson.dumps({"seq": seq, "action": action}))


async def test_a_client_that_leaves_in_the_middle_neither_loses_nor_doubles_the_step(
    client: httpx.AsyncClient, server: ServerProcess, subject: Subject
) -> None:
    session = await begin(client, subject)
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(step_bytes(session, 1, subject.slow_action))
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.transport.abort()
    result = await step(client, session, 1, subject.slow_action)
    found = SessionHistory.model_validate_json((await client.get(f"/v1/sessions/{session.session_id}")).content)
    assert found.steps == [result]
    alone = await begin(client, subject)
    assert await play(client, alone, [subject.slow_action, *subject.actions]) == [
        result,
        *await play(client, session, subject.actions, 2),
    ]
    await end(client, session, alone)


async def test_slow_clients_block_nobody(client: httpx.AsyncClient, server: ServerProcess, subject: Subject) -> None:
    session = await begin(client, subject)
    whole = step_bytes(session, 1, subject.actions[0])
    streams = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(20)]
    for _, writer in streams:
        writer.write(whole[:-5])
        await writer.drain()
    other = await begin(client, subject)
    results = await play(client, other, subject.actions)
    reader, writer = streams[0]
    writer.write(whole[-5:])
    await writer.drain()
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    assert (await step(client, session, 1, subject.actions[0])) == results[0]
    for _, writer in streams:
        writer.transport.abort()
    await end(client, session, other)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "malformed_json"),
        (b'{"seq": 1, "action": ', "malformed_json"),
        (b"\xff\xfe\x00", "malformed_json"),
        (b"[1, 2]", "invalid_request"),
        (b'{"seq": "first", "action": "x"}', "invalid_request"),
        (b'{"seq": "1", "action": "x"}', "invalid_request"),
        (b'{"seq": true, "action": "x"}', "invalid_request"),
        (b'{"seq": 1, "action": "x", "force": true}', "invalid_request"),
    ],
)
async def test_broken_bodies(client: httpx.AsyncClient, subject: Subject, body: bytes, code: str) -> None:
    session = await begin(client, subject)
    problem(await client.post(f"/v1/sessions/{session.session_id}/steps", content=body), code)
    assert (await step(client, session, 1, subject.actions[0])).seq == 1
    await end(client, session)


async def test_an_action_of_a_megabyte_is_refused_and_costs_nothing(client: httpx.AsyncClient, subject: Subject) -> None:
    session = await begin(client, subject)
    path = f"/v1/sessions/{session.session_id}/steps"
    problem(await client.post(path, json={"seq": 1, "action": "x" * 1_000_000}), "action_too_large")
    problem(await client.post(path, json={"seq": 1, "action": "x" * (1 << 20)}), "body_too_large")
    problem(await client.post(path, json={"seq": 1, "action": "x" * (12 << 20)}), "body_too_large")
    assert (await step(client, session, 1, subject.actions[0])).seq == 1
    await end(client, session)


async def test_a_chunked_body_is_counted_while_it_comes(client: httpx.AsyncClient) -> None:
    async def endless() -> AsyncGenerator[bytes]:
        for _ in range(64):
            yield b" " * 65_536

    problem(await client.put("/v1/sessions/chunked", content=endless()), "body_too_large")


async def test_unknown_routes_and_methods(client: httpx.AsyncClient) -> None:
    problem(await client.get("/v2/everything"), "route_not_found")
    problem(await client.post("/everything"), "route_not_found")
    problem(await client.delete("/v1/environment"), "method_not_allowed")


async def test_many_clients_at_once(client: httpx.AsyncClient, subject: Subject) -> None:
    async def whole_episode() -> list[str]:
        session = await begin(client, subject)
        results = await play(client, session, subject.actions)
        await end(client, session)
        return [result.observation_hash for result in results]

    played = await asyncio.gather(*[whole_episode() for _ in range(24)])
    assert all(hashes == played[0] for hashes in played)
