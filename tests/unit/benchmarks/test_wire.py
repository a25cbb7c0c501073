"""The barest HTTP client against a server that hangs up."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks.wire import Connection

ANSWER = b"HTTP/1.1 429 Too Many\r\nRetry-After: 5\r\nContent-Length: 2\r\n\r\n{}"


async def test_a_connection_that_was_closed_while_idle_is_opened_again() -> None:
    connected = 0

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connected
        connected += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)
        writer.close()

    async with await asyncio.start_server(once, "127.0.0.1", 0) as listener:
        connection = await Connection.open(listener.sockets[0].getsockname()[1])
        for _ in range(3):
            reply = await connection.call("GET", "/")
            assert (reply.status, reply.retry_after, reply.json()) == (429, "5", {})
            await asyncio.sleep(0.05)
        with pytest.raises(SystemExit, match="GET /: 429"):
            await connection.must("GET", "/")
        await connection.close()
    assert connected == 4
