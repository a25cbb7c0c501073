"""Heads of requests on a real socket: long ones are refused however they come, and others are none the worse for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import orjson
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from shared.heads import MAX_HEAD_BYTES, BoundedHeads
from tests.support.live import live


async def echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


@pytest.fixture
async def port() -> AsyncGenerator[int]:
    app = Starlette(routes=[Route("/{path:path}", echo, methods=["GET", "POST"])])
    async with live(app, http=BoundedHeads) as url:
        yield int(url.rpartition(":")[2])


async def answers(port: int, *pieces: bytes, until: int = 1) -> bytes:
    """What comes back for bytes sent piece by piece, each as a packet of its own; ends after so many answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = b""

    async def read() -> None:
        nonlocal received
        while received.count(b"HTTP/1.1 ") < until or not received.split(b"\r\n\r\n")[-1]:
            if not (more := await reader.read(65_536)):
                return
            received += more

    reading = asyncio.create_task(read())
    with contextlib.suppress(ConnectionError):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
    async with asyncio.timeout(20):
        await reading
    writer.close()
    return received


def refused(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.startswith(b"HTTP/1.1 431 ") and orjson.loads(body)["code"] == "head_too_large"


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * MAX_HEAD_BYTES + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /?" + b"a" * MAX_HEAD_BYTES + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: " + b"a" * MAX_HEAD_BYTES + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-Many: a\r\n" * 4000 + b"\r\n",
    ],
)
async def test_a_long_head_is_refused_at_once_or_drop_by_drop(port: int, head: bytes) -> None:
    assert refused(await answers(port, head))
    assert refused(await answers(port, *(head[at : at + 4096] for at in range(0, len(head), 4096))))


async def test_a_header_without_an_end_is_refused(port: int) -> None:
    assert refused(await answers(port, b"GET / HTTP/1.1\r\nX-Endless: ", *[b"a" * 8192] * 8))


async def test_headers_after_a_body_are_counted_too(port: int) -> None:
    begun = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"
    assert refused(await answers(port, begun, b"X-Endless: ", *[b"a" * 131_072] * 12))


async def test_bodies_and_requests_one_after_another_are_not(port: int) -> None:
    body = b"x" * 300_000
    whole = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    packets = [whole[at : at + 70_000] for at in range(0, len(whole), 70_000)]
    assert (await answers(port, *packets * 3, until=3)).count(b"300000") == 3
    assert (await answers(port, whole * 3, until=3)).count(b"300000") == 3
    chunks = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 20_000 + b"0\r\n\r\n"
    assert (await answers(port, *(chunks[at : at + 9_000] for at in range(0, len(chunks), 9_000)))).endswith(b"20000")


async def test_a_head_just_short_enough_is_answered(port: int) -> None:
    head = b"GET /" + b"a" * (MAX_HEAD_BYTES - 200) + b" HTTP/1.1\r\nHost: a\r\n\r\n"
    assert (await answers(port, head)).startswith(b"HTTP/1.1 200 ")
