"""The OpenEnv protocol, message by message, and with OpenEnv's own client where it is installed."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

import httpx
import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.conformance.conftest import Subject
from tests.conformance.play import begin, end, play
from tests.support.server import ServerProcess
from tests.support.waiting import until_true


def socket(server: ServerProcess) -> connect:
    return connect(f"ws://127.0.0.1:{server.port}/ws", proxy=None)


async def ask(connection: ClientConnection, kind: str, **data: Any) -> dict[str, Any]:
    message = {"type": kind} if kind in ("state", "close") else {"type": kind, "data": data}
    await connection.send(orjson.dumps(message).decode())
    reply: dict[str, Any] = orjson.loads(await connection.recv())
    return reply


def failure(reply: dict[str, Any]) -> tuple[str, str]:
    assert reply["type"] == "error"
    return reply["data"]["code"], reply["data"]["message"].partition(":")[0]


async def sessions(client: httpx.AsyncClient) -> int:
    return (await client.get("/v1/environment")).json()["sessions"]


async def test_an_episode_equals_the_native_one(client: httpx.AsyncClient, server: ServerProcess, subject: Subject) -> None:
    native = await begin(client, subject)
    expected = await play(client, native, subject.actions)
    async with socket(server) as connection:
        first = await ask(connection, "reset", task_id=subject.task_id, options=subject.options, episode_id="mine")
        assert first["type"] == "observation"
        assert first["data"]["observation"]["text"] == native.observation
        assert first["data"]["observation"]["goal"] == native.task.goal
        assert (first["data"]["reward"], first["data"]["done"]) == (None, False)
        for action, result in zip(subject.actions, expected, strict=True):
            reply = (await ask(connection, "step", action=action))["data"]
            assert reply["observation"]["text"] == result.observation
            assert reply["observation"]["score"] == result.score
            assert (reply["reward"], reply["done"]) == (result.reward, result.done)
        state = (await ask(connection, "state"))["data"]
        assert state == {"episode_id": "mine", "step_count": len(expected), "task_id": subject.task_id}
    await end(client, native)


async def test_a_seed_alone_chooses_a_task(server: ServerProcess) -> None:
    async with socket(server) as connection:
        played: list[str] = []
        for seed in (1, 1, 2):
            await ask(connection, "reset", seed=seed)
            played.append((await ask(connection, "state"))["data"]["task_id"])
        assert played[0] == played[1] != played[2]


async def test_however_the_socket_ends_its_session_is_given_back(
    client: httpx.AsyncClient, server: ServerProcess, subject: Subject
) -> None:
    before = await sessions(client)

    async def as_before() -> bool:
        return await sessions(client) == before

    connection = await socket(server)
    for _ in range(2):
        await ask(connection, "reset", task_id=subject.task_id)
        assert await sessions(client) == before + 1
    await connection.send('{"type": "close"}')
    await connection.wait_closed()
    await until_true(as_before)
    connection = await socket(server)
    await ask(connection, "reset", task_id=subject.task_id)
    connection.transport.abort()
    await until_true(as_before)


async def test_failures_are_messages_and_the_socket_lives_on(server: ServerProcess, subject: Subject) -> None:
    async with socket(server) as connection:
        assert failure(await ask(connection, "step", action="x")) == ("SESSION_ERROR", "session_not_found")
        assert failure(await ask(connection, "reset", task_id="no/such")) == ("EXECUTION_ERROR", "unknown_task")
        assert failure(await ask(connection, "reset", options={"no": "such"})) == ("VALIDATION_ERROR", "invalid_option")
        assert failure(await ask(connection, "dance")) == ("VALIDATION_ERROR", "invalid_request")
        await connection.send("{")
        assert failure(orjson.loads(await connection.recv())) == ("INVALID_JSON", "malformed_json")
        await connection.send(b"\x00\xff")
        assert failure(orjson.loads(await connection.recv())) == ("INVALID_JSON", "malformed_json")
        await ask(connection, "reset", task_id=subject.task_id, max_steps=1)
        assert failure(await ask(connection, "step", command="x")) == ("VALIDATION_ERROR", "invalid_request")
        assert failure(await ask(connection, "step", action="x" * 5000)) == ("EXECUTION_ERROR", "action_too_large")
        last = (await ask(connection, "step", action=subject.actions[0]))["data"]
        assert last["done"]
        assert last["observation"]["truncated"]
        assert failure(await ask(connection, "step", action=subject.actions[0])) == ("EXECUTION_ERROR", "episode_over")


async def test_its_probes_and_schemas(client: httpx.AsyncClient, subject: Subject) -> None:
    assert (await client.get("/health")).json() == {"status": "healthy"}
    assert (await client.get("/metadata")).json()["name"] == subject.name
    assert set((await client.get("/schema")).json()) == {"action", "observation", "state"}


async def test_its_own_client_plays_unchanged(server: ServerProcess, subject: Subject) -> None:
    pytest.importorskip("openenv", reason="openenv-core is not installed")
    generic: Any = importlib.import_module("openenv.core.generic_client").GenericEnvClient
    async with generic(base_url=server.url) as environment:
        first = await environment.reset(task_id=subject.task_id, options=subject.options, seed=3)
        assert first.observation["text"]
        assert not first.done
        for action in subject.actions:
            result = await environment.step({"action": action})
            assert result.observation["valid"]
            assert result.reward is not None
        assert (await environment.state())["step_count"] == len(subject.actions)
        with pytest.raises(RuntimeError, match="invalid_request"):
            await environment.step({"command": "x"})

    def synchronously() -> int:
        with generic(base_url=server.url).sync() as environment:
            environment.reset(task_id=subject.task_id)
            environment.step({"action": subject.actions[0]})
            return environment.state()["step_count"]

    assert await asyncio.to_thread(synchronously) == 1
