"""Every kind of request that a service takes, as its own application says it: what no list of a test can forget."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, Final, get_args
from unittest.mock import patch

import orjson
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute, APIWebSocketRoute
from starlette.routing import BaseRoute, Match, Route

from services.envserver.app import create_app
from services.envserver.compat import openenv
from shared.environment import Environment
from shared.settings import EnvironmentSettings

STREAM: Final = " as a stream"
"""What is added to the kind of a request that asks for its answer as events."""


def _environment_server(name: str) -> FastAPI:
    """The application that ``restep serve NAME`` would serve, with whatever its benchmark adds."""
    made: list[FastAPI] = []

    def run(
        environment: Environment,
        settings: EnvironmentSettings,
        *,
        service_name: str = "",
        routers: Sequence[APIRouter] = (),
        public: Sequence[APIRouter] = (),
    ) -> int:
        del service_name
        made.append(create_app(environment, settings, routers=routers, public=public))
        return 0

    module = import_module(f"services.{name}.app")
    with patch.object(module, "run", run):
        module.main(EnvironmentSettings())
    return made[0]


def _agent() -> FastAPI:
    from services.agent import app
    from services.agent.settings import AgentSettings

    return app.create_app(AgentSettings(checkpoint="none"))


def _viewer() -> FastAPI:
    from services.viewer import app
    from services.viewer.settings import ViewerSettings

    return app.create_app(ViewerSettings())


APPLICATIONS: Final[Mapping[str, Callable[[], FastAPI]]] = {
    "alfworld": lambda: _environment_server("alfworld"),
    "webshop": lambda: _environment_server("webshop"),
    "sciworld": lambda: _environment_server("sciworld"),
    "agent": _agent,
    "viewer": _viewer,
}
"""By the name that ``restep serve`` knows."""


class Routes:
    """The kinds of an application: ``POST /v1/sessions/{session_id}/steps``, ``WS /ws``, ``WS /ws reset``.

    A route whose answer may be a stream is two kinds. What is in no OpenAPI document, as pages and sockets, is there too.
    """

    def __init__(self, service: str) -> None:
        self._routes = list(_flat(APPLICATIONS[service]().routes))

    @property
    def every(self) -> set[str]:
        """All kinds."""
        return {kind for route in self._routes for kind in _kinds(route)}

    def kind_of(self, request: bytes) -> str:
        """Of an HTTP request with its body, a WebSocket's handshake among them."""
        head, _, body = request.partition(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        web_socket = b"\r\nupgrade: websocket" in head.lower()
        scope = {"type": "websocket" if web_socket else "http", "method": method, "path": target.partition("?")[0]}
        scope |= {"root_path": "", "headers": []}
        route = next(route for route in self._routes if route.matches(scope)[0] is Match.FULL)
        stream = STREAM if b'"stream":true' in body else ""
        return f"{'WS' if web_socket else method} {_path(route)}{stream}"

    @staticmethod
    def message_of(socket: str, message: bytes) -> str:
        """The kind of a message over a socket of the kind ``socket``."""
        return f"{socket} {orjson.loads(message)['type']}"


def _flat(routes: Sequence[BaseRoute]) -> Iterator[BaseRoute]:
    for route in routes:
        included: APIRouter | None = getattr(route, "original_router", None)
        if included is None:
            yield route
        else:
            yield from _flat(included.routes)


def _kinds(route: BaseRoute) -> Iterator[str]:
    if isinstance(route, APIWebSocketRoute):
        yield f"WS {route.path}"
        yield from (f"WS {route.path} {kind}" for kind in get_args(openenv.Message.model_fields["type"].annotation))
        return
    assert isinstance(route, APIRoute | Route)
    for method in (route.methods or set()) - {"HEAD"}:
        yield f"{method} {route.path}"
        if isinstance(route, APIRoute) and "text/event-stream" in _media_types(route):
            yield f"{method} {route.path}{STREAM}"


def _media_types(route: APIRoute) -> Mapping[str, Any]:
    return route.responses.get(200, {}).get("content", {})


def _path(route: BaseRoute) -> str:
    assert isinstance(route, APIRoute | APIWebSocketRoute | Route)
    return route.path
