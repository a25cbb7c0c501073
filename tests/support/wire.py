"""Messages as they are on the wire, byte by byte: of HTTP/1.1, and the frames of a WebSocket without extensions."""

from __future__ import annotations

import asyncio
from typing import Final

_END: Final = 8
"""The frame with which a side ends the conversation."""


async def message(reader: asyncio.StreamReader, *, begun: bool = False) -> bytes:
    """The next message, whole; with ``begun`` only as far as the first piece of a stream. Raises IncompleteReadError."""
    head = await reader.readuntil(b"\r\n\r\n")
    fields = [line.partition(b":") for line in head.lower().split(b"\r\n")]
    headers = {name: value.strip() for name, _, value in fields}
    if headers.get(b"transfer-encoding") == b"chunked":
        return head + await _chunks(reader, begun=begun)
    return head + await reader.readexactly(int(headers.get(b"content-length", b"0")))


async def _chunks(reader: asyncio.StreamReader, *, begun: bool) -> bytes:
    read = b""
    while True:
        size = await reader.readuntil(b"\r\n")
        chunk = await reader.readexactly(int(size, 16) + 2)
        read += size + chunk
        if begun or chunk == b"\r\n":
            return read


async def frame(reader: asyncio.StreamReader) -> bytes:
    """The next frame of a WebSocket, whole. Raises IncompleteReadError."""
    head = await reader.readexactly(2)
    more = {126: 2, 127: 8}.get(head[1] & 127, 0)
    extended = await reader.readexactly(more)
    length = int.from_bytes(extended) if more else head[1] & 127
    return head + extended + await reader.readexactly(length + (4 if head[1] & 128 else 0))


def is_end(sent: bytes) -> bool:
    """Whether a frame is the one that ends the conversation."""
    return sent[0] & 15 == _END


def payload(sent: bytes) -> bytes:
    """What a client's frame says: its bytes are masked with four of their own."""
    begins = 2 + {126: 2, 127: 8}.get(sent[1] & 127, 0)
    mask, masked = sent[begins : begins + 4], sent[begins + 4 :]
    return bytes(byte ^ mask[place % 4] for place, byte in enumerate(masked))
