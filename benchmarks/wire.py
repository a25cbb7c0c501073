"""HTTP at its barest, over connections that stay open: a full client would cost more than the servers that are measured."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any, Self

import orjson


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its status, its Retry-After in seconds where it has one, and its body."""

    status: int
    retry_after: str | None
    content: bytes

    def json(self) -> Any:
        """The body, parsed."""
        return orjson.loads(self.content)


class Connection:
    """One connection to a server on this machine; a request is answered before the next is sent.

    A server closes a connection that nobody has used for long, perhaps while a request is on its way; it is then sent again
    on another, once (every call of the protocol may be repeated).
    """

    def __init__(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._port = port
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> Self:
        """Connect. Raises OSError."""
        return cls(port, *await asyncio.open_connection("127.0.0.1", port))

    async def call(self, method: str, path: str, body: object = None) -> Reply:
        """One request and its answer, whatever its status. Raises EOFError or OSError when the server hangs up."""
        content = b"" if body is None else orjson.dumps(body)
        request = f"{method} {path} HTTP/1.1\r\nHost: server\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content
        try:
            return await self._ask(request)
        except (asyncio.IncompleteReadError, OSError):
            await self.close()
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
            return await self._ask(request)

    async def _ask(self, request: bytes) -> Reply:
        self._writer.write(request)
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines[1:] if line)
        found = await self._reader.readexactly(int(fields.get("content-length", "0")))
        return Reply(int(lines[0].split()[1]), fields.get("retry-after"), found)

    async def must(self, method: str, path: str, body: object = None) -> Reply:
        """The same for a request that has to succeed. Raises SystemExit with what was answered instead."""
        reply = await self.call(method, path, body)
        if not 200 <= reply.status < 300:
            raise SystemExit(f"{method} {path}: {reply.status} {reply.content[:300].decode(errors='replace')}")
        return reply

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        with contextlib.suppress(OSError):  # the server may have been first
            await self._writer.wait_closed()
