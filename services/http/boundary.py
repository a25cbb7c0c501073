"""The HTTP side of failures: RFC 9457 problem details, whatever raised them.

The boundary is the outermost application layer and the one place where an unexpected exception ends.
"""

from __future__ import annotations

import logging
import math
from http import HTTPStatus
from typing import Any, Final

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.http.problems import OVERLOADED, as_problem, invalid
from shared.errors import ERRORS, PROBLEM_MEDIA_TYPE, RestepError

log = logging.getLogger(__name__)

_HTTP_CODES: Final = {404: "route_not_found", 405: "method_not_allowed", 413: "body_too_large"}
_METHODS: Final = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")


def problem_response(error: Exception, instance: str | None = None) -> Response:
    """The HTTP answer to any exception."""
    problem = as_problem(error, instance)
    headers: dict[str, str] = {}
    if problem.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(problem.retry_after)))
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    body = orjson.dumps(problem.model_dump(exclude_none=True))
    return Response(body, problem.status, headers, PROBLEM_MEDIA_TYPE)


class ProblemBoundary:
    """ASGI middleware: no exception leaves it as anything but a problem document."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except ClientDisconnect:
            log.debug("client left before its request was read: %s", scope["path"])
        except Exception as error:
            response = problem_response(error, scope["path"])
            if started:
                raise
            await response(scope, receive, send)


def install_handlers(app: FastAPI) -> None:
    """Answer the framework's own exceptions (unknown route, wrong method, bad parameters) as problems."""

    async def on_restep(request: Request, error: Exception) -> Response:
        return problem_response(error, request.url.path)

    async def on_validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return problem_response(invalid(error.errors()), request.url.path)

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        code = _HTTP_CODES.get(error.status_code, "invalid_request" if error.status_code < 500 else "internal")
        response = problem_response(RestepError(code, f"{request.method} {request.url.path}"), request.url.path)
        response.headers.update(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            response.headers["Allow"] = _allowed(request)
        return response

    app.add_exception_handler(RestepError, on_restep)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(HTTPException, on_http)


def _allowed(request: Request) -> str:
    """What any route takes on this path: the framework names the methods of the first one only."""
    scope = {name: request.scope[name] for name in ("type", "path", "root_path", "headers")}
    routes: list[BaseRoute] = request.app.routes
    return ", ".join(
        method for method in _METHODS if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in routes)
    )


def declared(*codes: str) -> dict[int | str, dict[str, Any]]:
    """OpenAPI ``responses`` for the given rows of the error table, one example a code."""
    by_status: dict[int | str, dict[str, Any]] = {}
    for code in codes:
        kind = ERRORS[code]
        entry = by_status.setdefault(kind.status, {"description": "", "content": {PROBLEM_MEDIA_TYPE: {"examples": {}}}})
        entry["description"] = f"{entry['description']}; {kind.title}".removeprefix("; ")
        media = entry["content"][PROBLEM_MEDIA_TYPE]
        media["schema"] = {"$ref": "#/components/schemas/Problem"}
        media["examples"][code] = {"value": RestepError(code).problem().model_dump(exclude_none=True)}
        if kind.status in OVERLOADED:
            entry["headers"] = {"Retry-After": {"description": "seconds to wait", "schema": {"type": "integer"}}}
    return by_status
