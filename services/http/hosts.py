"""Names a server without a token answers to: a web page must not reach it through a name of its own.

A page of somebody else's can let its own domain point at 127.0.0.1 and then read what a server there says, as if it were
the page's own. Such a request carries that domain in its Host header; an address, ``localhost`` or a plain name of
the network the server is in cannot be such a domain.
"""

from __future__ import annotations

import ipaddress

from starlette.types import ASGIApp, Receive, Scope, Send

from shared.errors import RestepError


class PlainNames:
    """ASGI middleware that raises ``foreign_host`` for any Host that is a domain; sits inside the boundary."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] == "http":
            host = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1")
            if not is_plain(host):
                raise RestepError("foreign_host", "without a token this server answers to addresses and plain names only")
        await self._app(scope, receive, send)


def is_plain(host: str) -> bool:
    """An address or a name without a domain, with or without a port."""
    if host.startswith("["):
        return _is_address(host.partition("]")[0][1:])
    name = host.partition(":")[0].lower().rstrip(".")
    return "." not in name or name.endswith(".localhost") or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
