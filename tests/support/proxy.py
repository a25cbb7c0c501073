"""A TCP proxy between a client and its server that cuts connections on cue and can be pointed at another server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Literal, Self
from urllib.parse import urlsplit

Fate = Literal["through", "cut before", "cut after"]
"""What becomes of a request: answered; never seen by the server; executed by the server, its answer lost."""


class Proxy:
    """Relays one HTTP/1.1 message each way at a time; ``fates`` are dealt to the requests in the order they come."""

    def __init__(self, target: str, fates: Iterable[Fate] = ()) -> None:
        self.target = target
        self.batches: str | None = None
        """Where batches go instead, as behind a gateway that routes by the id in the path."""
        self.fates = iter(fates)
        self.cuts = 0
        self.url = ""
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                request = await _message(reader)
                fate = next(self.fates, "through")
                answer = b"" if fate == "cut before" else await self._ask(request)
                if fate != "through":
                    self.cuts += 1
                    break
                writer.write(answer)
                await writer.drain()
        writer.close()

    async def _ask(self, request: bytes) -> bytes:
        astray = self.batches if request.startswith(b"POST /v1/steps ") else None
        address = urlsplit(astray or self.target)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            writer.write(request)
            await writer.drain()
            return await _message(reader)
        finally:
            writer.close()


async def _message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return head + await reader.readexactly(length)
