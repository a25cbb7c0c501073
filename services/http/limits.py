"""The size of bodies, counted as they arrive, before anything is parsed.

The count also covers chunked bodies, which declare no length. The rest of a body that is too large is read and
dropped, up to a bound, so that the client gets to read the 413 instead of a broken connection.
"""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import RestepError

MAX_BODY_BYTES: Final = 1 << 20
_DISCARD_BYTES: Final = 32 << 20


class BodyLimit:
    """ASGI middleware that raises ``body_too_large`` out of ``receive``; sits inside the problem boundary."""

    def __init__(self, app: ASGIApp, limit: int = MAX_BODY_BYTES) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        if _declared_length(scope) > self._limit:
            await self._discard(receive)
            raise self._too_large()
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._limit:
                if message.get("more_body", False):
                    await self._discard(receive)
                raise self._too_large()
            return message

        return await self._app(scope, counted, send)

    def _too_large(self) -> RestepError:
        return RestepError("body_too_large", f"a body may have at most {self._limit} bytes")

    @staticmethod
    async def _discard(receive: Receive) -> None:
        read = 0
        while read < _DISCARD_BYTES:
            message = await receive()
            read += len(message.get("body", b""))
            if message["type"] != "http.request" or not message.get("more_body", False):
                return


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0
