"""A TCP proxy between a client and its server that cuts connections on cue and can be pointed at another server."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Literal, Self
from urllib.parse import urlsplit

Fate = Literal["through", "cut before", "cut inside", "cut after", "cut in the answer"]
"""What becomes of a request: answered; never seen by the server, or seen by half; executed, its answer lost, or half of it."""

CUTS: tuple[Fate, ...] = ("cut before", "cut inside", "cut after", "cut in the answer")


class Proxy:
    """Relays one HTTP/1.1 message each way at a time.

    ``fates`` are dealt to the requests in the order they come, or by what kind they are of.
    """

    def __init__(self, target: str, fates: Iterable[Fate] | Callable[[str], Fate] = ()) -> None:
        self.target = target
        self.batches: str | None = None
        """Where batches go instead, as behind a gateway that routes by the id in the path."""
        self.fates = fates if callable(fates) else iter(fates)
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
                fate = self.fates(kind_of(request)) if callable(self.fates) else next(self.fates, "through")
                if fate == "cut inside":
                    await self._tell(request[: len(request) // 2])
                answer = b"" if fate in ("cut before", "cut inside") else await self._ask(request)
                if fate != "through":
                    self.cuts += 1
                    writer.write(answer[: len(answer) // 2] if fate == "cut in the answer" else b"")
                    break
                writer.write(answer)
                await writer.drain()
        writer.close()

    async def _tell(self, part: bytes) -> None:
        address = urlsplit(self.target)
        _, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(part)
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


class EveryCut:
    """Deals every cut once to every kind of request, then lets them through. ``dealt`` are the cuts by kind."""

    def __init__(self) -> None:
        self.dealt: defaultdict[str, list[Fate]] = defaultdict(list)

    def __call__(self, kind: str) -> Fate:
        dealt = self.dealt[kind]
        if len(dealt) == len(CUTS):
            return "through"
        dealt.append(CUTS[len(dealt)])
        return dealt[-1]


def kind_of(request: bytes) -> str:
    """Method and path of a request, without what differs from one session to the next."""
    method, path, _ = request.split(b"\r\n", 1)[0].decode().split(" ")
    return f"{method} {re.sub('/v1/sessions/[^/]+', '/v1/sessions/ID', path.partition('?')[0])}"


async def _message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return head + await reader.readexactly(length)
