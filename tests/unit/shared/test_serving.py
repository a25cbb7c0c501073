from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import orjson
import pytest

from shared.errors import RestepError
from shared.serving import announce, bind, serve


async def application(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"here"})


async def nothing() -> None:
    """Ready, or drained, at once."""


def test_port_zero_takes_a_free_port_and_a_taken_one_is_refused() -> None:
    with contextlib.closing(bind("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert port > 0
        with pytest.raises(RestepError, match=f"port_in_use: 127.0.0.1:{port} is in use"):
            bind("127.0.0.1", port)


def test_an_address_that_cannot_be_had_is_refused() -> None:
    for host in ("192.0.2.1", "no.such.host.invalid"):
        with pytest.raises(RestepError, match="unreachable: cannot listen on"):
            bind(host, 0)


async def test_whoever_reads_the_announcement_can_connect_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even when ready comes before the server has begun to accept."""
    listener = bind("127.0.0.1", 0)
    connected: list[socket.socket] = []

    def connects(service: str, host: str, port: int) -> None:
        connected.append(socket.create_connection((host, port)))
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("shared.serving.announce", connects)
    await serve(application, listener, service="test", ready=nothing, drain=nothing)
    assert len(connected) == 1
    connected[0].close()


def test_the_announcement_is_one_json_line(capsys: pytest.CaptureFixture[str]) -> None:
    announce("cellar", "::1", 5)
    line = capsys.readouterr().out
    assert line.endswith("}\n")
    assert orjson.loads(line) == {"event": "ready", "service": "cellar", "url": "http://[::1]:5", "port": 5}


async def test_it_serves_drains_on_a_signal_and_returns() -> None:
    listener = bind("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    seen: list[str] = []

    async def ready() -> None:
        seen.append("ready")
        asyncio.get_running_loop().call_later(0.2, os.kill, os.getpid(), signal.SIGTERM)

    async def drain() -> None:
        async with httpx.AsyncClient() as client:
            seen.append((await client.get(url)).text)

    await serve(application, listener, service="test", ready=ready, drain=drain)
    assert seen == ["ready", "here"]


async def test_what_cannot_get_ready_ends_with_its_reason() -> None:
    async def fails() -> None:
        raise RestepError("data_not_found", "no data")

    with pytest.raises(RestepError, match="no data"):
        await serve(application, bind("127.0.0.1", 0), service="test", ready=fails, drain=nothing)


async def test_a_signal_before_it_is_ready_ends_it() -> None:
    asyncio.get_running_loop().call_later(0.2, os.kill, os.getpid(), signal.SIGINT)
    await serve(application, bind("127.0.0.1", 0), service="test", ready=asyncio.Event().wait, drain=nothing)
