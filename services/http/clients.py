"""Whose request it is: the client that the token names, or else the address it came from.

Behind a gateway every request comes from the gateway, unless it is a trusted proxy: then the address is the one it tells.
"""

from __future__ import annotations

from typing import Final

from starlette.types import Scope

CLIENT: Final = "restep.client"
"""Where the name that a token gives is kept in a connection's scope."""


def client_of(scope: Scope) -> str:
    """A client's name or address. They cannot be mistaken for each other: a name stands after a mark."""
    if name := scope.get(CLIENT):
        return f"token {name}"
    address = scope.get("client")
    return address[0] if address else "unknown"
