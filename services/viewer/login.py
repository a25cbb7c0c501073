"""Browsers send no bearer token, so a form takes it once and answers with a cookie that stands for it until it expires.

The cookie holds an expiry time and its HMAC under the token: it cannot be made without the token, does not tell it, and
ends with it. No state is kept.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import Final

from starlette.types import Scope

COOKIE: Final = "restep_viewer"
SECONDS: Final = 12 * 3600


class Login:
    """Who may see the pages. ``clock`` is in seconds since 1970."""

    def __init__(self, token: str, clock: Callable[[], float] = time.time) -> None:
        self._token = token.encode()
        self._clock = clock

    def accepts(self, token: str) -> bool:
        """Whether the token is the right one."""
        return hmac.compare_digest(token.strip().encode("utf-8", "surrogatepass"), self._token)

    def cookie(self) -> str:
        """A new cookie's value."""
        expiry = str(int(self._clock()) + SECONDS)
        return f"{expiry}.{self._sign(expiry)}"

    def allows(self, scope: Scope) -> bool:
        """Whether a request carries a cookie of ours."""
        return scope["type"] == "http" and self._is_ours(_cookie(scope))

    def _is_ours(self, value: str) -> bool:
        expiry, _, signature = value.partition(".")
        if not hmac.compare_digest(signature.encode(), self._sign(expiry).encode()):
            return False
        return int(expiry) > self._clock()

    def _sign(self, expiry: str) -> str:
        return hmac.new(self._token, f"{COOKIE}:{expiry}".encode(), hashlib.sha256).hexdigest()


def _cookie(scope: Scope) -> str:
    header = next((value for name, value in scope["headers"] if name == b"cookie"), b"").decode("latin-1")
    try:
        morsel = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return "" if morsel is None else morsel.value


def local_path(path: str) -> str:
    """Where to go after logging in: a path of this server, or its first page for anything else."""
    harmless = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if harmless else "/"
