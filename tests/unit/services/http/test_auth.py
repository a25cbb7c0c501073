"""Tokens and whose request it is, over HTTP and WebSocket."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from services.http.auth import BearerAuth
from services.http.boundary import ProblemBoundary
from services.http.clients import client_of
from shared.tokens import Token

TOKENS = (Token("first"), Token("second", "ann"), Token("third", "ann"), Token("fourth", "bob"))


async def whose(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(client_of(Request(scope).scope))(scope, receive, send)


@pytest.fixture
async def client() -> AsyncGenerator[httpx.AsyncClient]:
    app = ProblemBoundary(BearerAuth(whose, TOKENS, public=["/open"]))
    transport = httpx.ASGITransport(app, client=("10.0.0.7", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as opened:
        yield opened


@pytest.mark.parametrize(
    ("token", "name"), [("first", "10.0.0.7"), ("second", "token ann"), ("third", "token ann"), ("fourth", "token bob")]
)
async def test_any_token_lets_in_and_its_name_is_the_client(client: httpx.AsyncClient, token: str, name: str) -> None:
    answer = await client.get("/", headers={"authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.text) == (200, name)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": "Bearer wrong"},
        {"authorization": "Basic first"},
        {"authorization": "first"},
        {"authorization": "Bearer ann second"},
        {"authorization": "Bearer firstsecond"},
        {"x-forwarded-for": "127.0.0.1"},
        {"cookie": "restep_viewer=first"},
    ],
)
async def test_nothing_else_does(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    answer = await client.get("/", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
    for token in TOKENS:
        assert token.secret not in answer.text


async def test_public_paths_and_probes_need_none(client: httpx.AsyncClient) -> None:
    for path in ("/open", "/healthz", "/readyz"):
        assert (await client.get(path)).status_code == 200
    for path in ("/open/more", "/healthz/", "/metrics"):
        assert (await client.get(path)).status_code == 401


async def test_a_socket_without_a_token_is_refused_before_the_handshake() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing is read from who is not let in")

    scope = {"type": "websocket", "path": "/ws", "headers": [(b"authorization", b"Bearer wrong")]}
    await BearerAuth(whose, TOKENS)(scope, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_a_name_cannot_be_mistaken_for_an_address() -> None:
    named = {"restep.client": "10.0.0.7", "client": ("10.0.0.8", 1)}
    assert client_of(named) != client_of({"client": ("10.0.0.7", 1)})
    assert client_of({"client": None}) == client_of({})
