"""The optional bearer tokens: there is no default secret, and comparing takes the same time for every guess."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Collection
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from services.http.clients import CLIENT
from shared.errors import RestepError
from shared.tokens import Tokens

_POLICY_VIOLATION: Final = 1008
_PROBES: Final = frozenset({"/healthz", "/readyz"})  # probes carry no secrets

Allows = Callable[[Scope], bool]
"""Another way to be let in than the header, a cookie for instance."""


class BearerAuth:
    """ASGI middleware that raises ``unauthorized`` for a request without one of the tokens; sits inside the boundary.

    ``public`` are paths that need none, beside the probes; ``also`` says who is let in without the header. A WebSocket
    without a token is refused before the handshake.
    """

    def __init__(self, app: ASGIApp, tokens: Tokens, public: Collection[str] = (), also: Allows | None = None) -> None:
        self._app = app
        self._tokens = [(token.secret.encode(), token.client) for token in tokens]
        self._open = _PROBES.union(public)
        self._also = also

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] == "lifespan" or scope["path"] in self._open or self._allows(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})  # before the handshake: 403
        else:
            raise RestepError("unauthorized")

    def _allows(self, scope: Scope) -> bool:
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        scheme, _, secret = given.partition(b" ")
        matches = [client for expected, client in self._tokens if hmac.compare_digest(secret.strip(), expected)]
        if matches and scheme.lower() == b"bearer":
            scope[CLIENT] = matches[0]
            return True
        return self._also is not None and self._also(scope)
