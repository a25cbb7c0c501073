"""What stands between the routes and a browser: headers that let a page load nothing and run nothing, problems as pages."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.viewer.pages import Pages
from shared.errors import PROBLEM_MEDIA_TYPE, Problem

_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
RUN_PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'; sandbox"
)
"""For a page that a run wrote of itself: its own style, no script, and an origin apart from ours."""
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class SafeHeaders:
    """ASGI middleware, outermost: every answer carries them, unless its route chose others."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, guarded)


class ProblemPages:
    """ASGI middleware outside the problem boundary: a browser is shown a page, or the login form where it needs one."""

    def __init__(self, app: ASGIApp, pages: Pages) -> None:
        self._app = app
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http" or "text/html" not in Headers(scope=scope).get("accept", ""):
            return await self._app(scope, receive, send)
        found = False
        body = b""

        async def translated(message: Message) -> None:
            nonlocal found, body
            if message["type"] == "http.response.start":
                found = Headers(raw=message["headers"]).get("content-type", "").startswith(PROBLEM_MEDIA_TYPE)
            if not found:
                await send(message)
            elif message["type"] == "http.response.body":
                body += message.get("body", b"")
                if not message.get("more_body", False):
                    await self._answer(body, scope, receive, send)

        return await self._app(scope, receive, translated)

    async def _answer(self, body: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        problem = Problem.model_validate_json(body)
        if problem.status == HTTPStatus.UNAUTHORIZED and scope["method"] == "GET":
            query = scope["query_string"].decode("latin-1")
            back = scope["path"] + (f"?{query}" if query else "")
            response = RedirectResponse(f"{self._pages.prefix}/login?next={quote(back)}", HTTPStatus.SEE_OTHER)
        else:
            response = self._pages.problem(problem)
        await response(scope, receive, send)
