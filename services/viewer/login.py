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

from shared.tokens import Tokens

COOKIE: Final = "restep_viewer"
SECONDS: Final = 12 * 3600


class Login:
    """Who may see the pages. ``clock`` is in seconds since 1970."""

    def __init__(self, tokens: Tokens, clock: Callable[[], float] = time.time) -> None:
        self._secrets = [token.secret.encode() for token in tokens]
        self._clock = clock

    def cookie(self, token: str) -> str | None:
        """A new cookie's value for who has the token; None for who has none."""
        given = token.strip().encode("utf-8", "surrogatepass")
        matches = [secret for secret in self._secrets if hmac.compare_digest(given, secret)]
        expiry = str(int(self._clock()) + SECONDS)
        return f"{expiry}.{_sign(matches[0], expiry)}" if matches else None

    def allows(self, scope: Scope) -> bool:
        """Whether a request carries a cookie of ours."""
        return scope["type"] == "http" and self._is_ours(_cookie(scope))

    def _is_ours(self, value: str) -> bool:
        expiry, _, signature = value.partition(".")
        signed = [hmac.compare_digest(signature.encode(), _sign(secret, expiry).encode()) for secret in self._secrets]
        return any(signed) and int(expiry) > self._clock()


def _sign(secret: bytes, expiry: str) -> str:
    return hmac.new(secret, f"{COOKIE}:{expiry}".encode(), hashlib.sha256).hexdigest()


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
