"""A TCP proxy that knows no protocol: it counts what a client sends and breaks the connection at a chosen moment."""

from __future__ import annotations

import asyncio
from typing import Self


class TcpProxy:
    """``cut_at``: the number of the packet, counted from 0 over all connections, at which its connection is broken.

    Lost is the packet or, with ``lost_answer``, the answer to it.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._server: asyncio.Server | None = None
        self._handlers: set[asyncio.Task[None]] = set()
        self.port = 0
        self.sent = 0
        self.cut_at: int | None = None
        self.lost_answer = False

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for handler in self._handlers:
            handler.cancel()
        await asyncio.gather(*self._handlers)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        losing, answered = asyncio.Event(), asyncio.Event()

        async def answers() -> None:
            while packet := await there.read(1 << 16):
                answered.set()
                if not losing.is_set():
                    writer.write(packet)

        relay = asyncio.create_task(answers())
        handler = asyncio.current_task()
        assert handler is not None
        self._handlers.add(handler)
        handler.add_done_callback(self._handlers.discard)
        try:
            while packet := await reader.read(1 << 16):
                number, self.sent = self.sent, self.sent + 1
                if number != self.cut_at:
                    back.write(packet)
                    continue
                if self.lost_answer:
                    losing.set()
                    answered.clear()
                    back.write(packet)
                    await answered.wait()
                break
        except (ConnectionError, asyncio.CancelledError):
            pass  # asyncio's server would complain of a handler that was cancelled
        finally:
            relay.cancel()
            writer.transport.abort()
            back.transport.abort()
