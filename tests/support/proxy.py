"""A TCP proxy between a client and its server that cuts connections on cue and can be pointed at another server."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Literal, Self
from urllib.parse import urlsplit

from tests.support.wire import frame, is_end, message, payload

Fate = Literal["through", "cut before", "cut inside", "cut at work", "cut after", "cut in the answer"]
"""What becomes of a request: answered; never seen by the server; seen by half; seen, and nobody there for an answer;
executed, its answer lost; or half of it. Of an answer that is a stream only the beginning is ever made."""

CUTS: tuple[Fate, ...] = ("cut before", "cut inside", "cut at work", "cut after", "cut in the answer")


class Proxy:
    """Relays one HTTP/1.1 message each way at a time.

    ``fates`` are dealt to the requests in the order they come, or by what kind they are of, which ``kind_of`` tells.
    Before each, ``pace`` is awaited.
    """

    def __init__(
        self,
        target: str,
        fates: Iterable[Fate] | Callable[[str], Fate] = (),
        *,
        kind_of: Callable[[bytes], str] | None = None,
        pace: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        self.target = target
        self.batches: str | None = None
        """Where batches go instead, as behind a gateway that routes by the id in the path."""
        self.fates = fates if callable(fates) else iter(fates)
        self.kind_of = kind_of or _kind_of
        self.cuts = 0
        self.url = ""
        self._pace = pace
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # asyncio's server would complain of a handler that was cancelled
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            await self._relay(reader, writer)
        writer.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = await message(reader)
            if self._pace is not None:
                await self._pace()
            fate = self.fates(self.kind_of(request)) if callable(self.fates) else next(self.fates, "through")
            if fate == "through":
                writer.write(await self._ask(request))
                await writer.drain()
                continue
            self.cuts += 1
            if fate in ("cut inside", "cut at work"):
                await self._tell(request if fate == "cut at work" else request[: len(request) // 2])
            elif fate in ("cut after", "cut in the answer"):
                answer = await self._ask(request, begun=True)
                writer.write(answer[: len(answer) // 2] if fate == "cut in the answer" else b"")
            return

    async def _tell(self, part: bytes) -> None:
        address = urlsplit(self.target)
        _, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(part)
        await writer.drain()
        writer.close()

    async def _ask(self, request: bytes, *, begun: bool = False) -> bytes:
        astray = self.batches if request.startswith(b"POST /v1/steps ") else None
        address = urlsplit(astray or self.target)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            writer.write(request)
            await writer.drain()
            return await message(reader, begun=begun)
        finally:
            writer.close()


class SocketProxy(Proxy):
    """The same for WebSockets: a handshake, then messages that have one reply each, over one connection to the server."""

    def __init__(
        self,
        target: str,
        fates: Callable[[str], Fate],
        *,
        kind_of: Callable[[bytes], str],
        message_of: Callable[[str, bytes], str],
    ) -> None:
        super().__init__(target, fates, kind_of=kind_of)
        self._deal, self._message_of = fates, message_of

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = urlsplit(self.target)
        there, back = await asyncio.open_connection(address.hostname, address.port)
        try:
            asked = await message(reader)
            socket = self.kind_of(asked)
            if await self._exchange(socket, asked, message, there, back, writer):
                while not is_end(asked := await frame(reader)):
                    kind = self._message_of(socket, payload(asked))
                    if not await self._exchange(kind, asked, frame, there, back, writer):
                        break
        finally:
            back.close()

    async def _exchange(
        self,
        kind: str,
        asked: bytes,
        read: Callable[[asyncio.StreamReader], Awaitable[bytes]],
        there: asyncio.StreamReader,
        back: asyncio.StreamWriter,
        writer: asyncio.StreamWriter,
    ) -> bool:
        """One message and its reply; whether the connection is still whole."""
        fate = self._deal(kind)
        self.cuts += fate != "through"
        if fate != "cut before":
            back.write(asked[: len(asked) // 2] if fate == "cut inside" else asked)
            await back.drain()
        if fate not in ("cut before", "cut inside", "cut at work"):
            reply = await read(there)
            kept = {"cut after": 0, "cut in the answer": len(reply) // 2}.get(fate, len(reply))
            writer.write(reply[:kept])
            await writer.drain()
        return fate == "through"


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


def _kind_of(request: bytes) -> str:
    """Method and path of a request, without what differs from one session to the next."""
    method, path, _ = request.split(b"\r\n", 1)[0].decode().split(" ")
    return f"{method} {re.sub('/v1/sessions/[^/]+', '/v1/sessions/ID', path.partition('?')[0])}"
