"""The token on every route of every service, and that no secret is ever told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.integration.security.conftest import OTHER, PROBES, SECRET, Subject, bearing, problem
from tests.support.server import ServerProcess

pytestmark = pytest.mark.slow
METHODS = ("get", "put", "post", "delete", "patch")


async def operations(client: httpx.AsyncClient) -> list[tuple[str, str]]:
    """Method and path of every route that the service says it has."""
    document: dict[str, Any] = (await client.get("/openapi.json", headers=bearing(SECRET))).raise_for_status().json()
    return [(method.upper(), path) for path, item in document["paths"].items() for method in METHODS if method in item]


def filled(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "1", path)


def wrong_tokens() -> Iterator[dict[str, str]]:
    yield {}
    yield bearing("wrong")
    yield bearing(SECRET + "x")
    yield bearing(SECRET[:-1])
    yield {"authorization": SECRET}
    yield {"authorization": f"Basic {SECRET}"}
    yield {"cookie": f"restep_viewer={SECRET}", "x-forwarded-for": "127.0.0.1"}


async def test_every_route_but_probes_and_public_pages_wants_a_token(client: httpx.AsyncClient, subject: Subject) -> None:
    routes = await operations(client)
    assert len(routes) > 5
    open_to_all = PROBES | subject.public
    assert {path for _, path in routes} >= PROBES
    for method, path in [*routes, ("GET", "/openapi.json"), ("GET", "/docs"), ("GET", "/no/such/route"), ("BREW", "/v1/x")]:
        if path in open_to_all:
            continue
        for headers in wrong_tokens():
            answer = await client.request(method, filled(path), headers=headers)
            if method == "BREW" and answer.status_code == 400:
                continue  # the parser knows no such method
            problem(answer, "unauthorized", 401) if not openai(path) else denied(answer)
            assert answer.headers["www-authenticate"] == "Bearer"


def openai(path: str) -> bool:
    return path.startswith(("/v1/chat/", "/v1/completions", "/v1/models"))


def denied(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")


async def test_every_token_of_the_file_opens(client: httpx.AsyncClient) -> None:
    for token in (SECRET, OTHER):
        assert (await client.get("/metrics", headers=bearing(token))).status_code == 200


async def test_public_routes_need_none(client: httpx.AsyncClient, subject: Subject) -> None:
    for path in PROBES | {path for path in subject.public if "{" not in path and path != "/logout"}:
        assert (await client.get(path)).status_code == 200


async def test_the_socket_wants_a_token_too(server: ServerProcess, subject: Subject) -> None:
    address = f"ws://127.0.0.1:{server.port}/ws"
    for headers in wrong_tokens():
        with pytest.raises(InvalidStatus, match="403"):
            await connect(address, proxy=None, additional_headers=headers)
    if subject.task is not None:
        async with connect(address, proxy=None, additional_headers=bearing(OTHER)) as socket:
            await socket.send('{"type": "state"}')
            assert '"step_count":0' in str(await socket.recv())


async def test_no_secret_is_told(client: httpx.AsyncClient, server: ServerProcess, subject: Subject) -> None:
    told: list[str] = []
    for method, path in await operations(client):
        for headers in (bearing(SECRET), bearing(f"{OTHER}-almost"), {}):
            asked = {**headers, "accept": "text/html"} if subject.name == "viewer" else headers
            answer = await client.request(method, filled(path), headers=asked, content=b"{")
            told.append(f"{answer.headers}{answer.text}")
    told.append((await client.get(f"/no/{OTHER[:3]}", headers=bearing(SECRET))).text)
    told.append(server.errors())
    for secret in (SECRET, OTHER):
        assert not any(secret in text for text in told)
