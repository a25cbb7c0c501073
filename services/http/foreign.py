"""Web pages of somebody else: they must not reach a server that wants no token from the browser of whoever may.

Two ways lead there. A page can send requests to 127.0.0.1 and the local network, though not read the answers; its browser
then says in ``Origin`` whose page it is. And it can let its own domain point at 127.0.0.1, so that the server's answers
are the page's own; such a request carries that domain in its Host header, which an address, ``localhost`` or a plain
name of the network the server is in cannot be.
"""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.errors import RestepError

_POLICY_VIOLATION: Final = 1008


class NoForeignPages:
    """ASGI middleware that raises ``foreign_page`` or, with ``plain_names``, ``foreign_host``; sits inside the boundary."""

    def __init__(self, app: ASGIApp, plain_names: bool) -> None:
        self._app = app
        self._plain_names = plain_names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] == "lifespan" or (error := self._fault(Headers(scope=scope))) is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})  # before the handshake: 403
        else:
            raise error

    def _fault(self, headers: Headers) -> RestepError | None:
        host = headers.get("host", "")
        if self._plain_names and not is_plain(host):
            return RestepError("foreign_host", "without a token this server answers to addresses and plain names only")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return RestepError("foreign_page", "without a token this server takes nothing from the pages of others")
        return None


def is_plain(host: str) -> bool:
    """An address or a name without a domain, with or without a port."""
    if host.startswith("["):
        return _is_address(host.partition("]")[0][1:])
    name = host.partition(":")[0].lower().rstrip(".")
    return "." not in name or name.endswith(".localhost") or _is_address(name)


def is_local(host: str) -> bool:
    """Whether only this machine reaches a server that listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
