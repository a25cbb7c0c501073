"""The optional bearer token: there is no default secret, and comparing takes the same time for every guess."""

from __future__ import annotations

import hmac
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from shared.errors import RestepError

_OPEN_PATHS: Final = frozenset({"/healthz", "/readyz"})  # probes carry no secrets


class BearerAuth:
    """ASGI middleware that raises ``unauthorized`` for a request without the token; sits inside the boundary."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] == "http" and scope["path"] not in _OPEN_PATHS and not self._allows(scope):
            raise RestepError("unauthorized")
        await self._app(scope, receive, send)

    def _allows(self, scope: Scope) -> bool:
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        scheme, _, token = given.partition(b" ")
        return hmac.compare_digest(token.strip(), self._expected) and scheme.lower() == b"bearer"
