"""Over real sockets and uvicorn, with a clock of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn

from shared.serving import bind
from shared.slow_clients import SlowClients
from tests.support.waiting import until

BIG = b"x" * (8 << 20)
GET = b"GET / HTTP/1.1\r\nHost: server\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: server\r\nContent-Length: 10\r\n\r\n12345"


@dataclass
class Served:
    """A server whose application answers at once, or when ``gate`` is set, with ``answer``."""

    port: int = 0
    now: float = 0.0
    answer: bytes = b"here"
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    begun: int = 0
    left: int = 0
    slow: SlowClients = field(default_factory=lambda: SlowClients([]))
    connections: set[Any] = field(default_factory=set[Any])

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.begun += 1
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left += 1
                return
            if not message.get("more_body"):
                break
        await self.gate.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(self.answer))]})
        await send({"type": "http.response.body", "body": self.answer})

    async def open(self, sent: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        known = len(self.connections)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(sent)
        await until(lambda: len(self.connections) > known)
        return reader, writer

    def owed(self) -> list[int]:
        """Bytes of answers that no client has taken."""
        return [connection.transport.get_write_buffer_size() for connection in self.connections]

    def later(self, seconds: float) -> int:
        """How many connections have been ended when so much time has passed; looked at ten times meanwhile."""
        for _ in range(10):
            self.now += seconds / 10
            self.slow.end()
        return self.slow.ended


@pytest.fixture
async def served() -> AsyncGenerator[Served]:
    served = Served()
    listener = bind("127.0.0.1", 0)
    served.port = listener.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(served, lifespan="off", log_level="warning"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await until(lambda: server.started)
    served.connections = server.server_state.connections
    served.slow = SlowClients(served.connections, patience=60.0, clock=lambda: served.now)
    served.slow.end()
    yield served
    served.gate.set()
    server.should_exit = server.force_exit = True
    await serving
    listener.close()


@pytest.mark.parametrize(
    "sent", [b"", GET[:-4], POST[:20], POST], ids=["nothing", "half a head", "half a head of a body", "half a body"]
)
async def test_a_request_that_never_comes_is_not_waited_for(served: Served, sent: bytes) -> None:
    reader, writer = await served.open(sent)
    await asyncio.sleep(0.05)
    assert served.later(59) == 0
    assert served.later(10) == 1
    assert await reader.read() == b""
    await until(lambda: not served.connections)
    assert served.left == served.begun, "the application was told"
    writer.close()


async def test_nor_is_one_that_follows_an_answer(served: Served) -> None:
    served.gate.set()
    reader, writer = await served.open(GET)
    assert (await reader.readuntil(b"here")).endswith(b"here")
    writer.write(GET[:-4])
    await until(lambda: all(connection.timeout_keep_alive_task is None for connection in served.connections))
    assert served.later(59) == 0
    assert served.later(10) == 1
    writer.close()


async def test_an_answer_that_is_never_read_is_dropped(served: Served) -> None:
    served.answer = BIG
    served.gate.set()
    _, writer = await served.open(GET)
    await until(lambda: any(connection.flow.write_paused for connection in served.connections))
    assert served.later(59) == 0
    assert served.later(10) == 1
    await until(lambda: not served.connections)
    writer.close()


async def test_a_slow_reader_who_reads_is_served(served: Served) -> None:
    served.answer = BIG
    served.gate.set()
    reader, writer = await served.open(GET)
    head = await reader.readuntil(b"\r\n\r\n")
    read = 0
    while read < len(BIG):
        owed = served.owed()
        while read < len(BIG) and served.owed() == owed:
            chunk = await reader.read(1 << 16)
            assert chunk, "it was ended"
            read += len(chunk)
        served.later(59)
    assert (head[:15], read, served.slow.ended) == (b"HTTP/1.1 200 OK", len(BIG), 0)
    writer.close()


async def test_an_answer_that_takes_us_long_costs_the_client_nothing(served: Served) -> None:
    reader, writer = await served.open(GET)
    await until(lambda: served.begun)
    assert served.later(1000) == 0
    served.gate.set()
    assert (await reader.readuntil(b"here")).endswith(b"here")
    assert served.later(70) == 0, "the wait for a next request is uvicorn's"
    writer.close()
