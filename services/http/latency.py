"""How long requests take, by route and status."""

from __future__ import annotations

import time
from typing import Final

from prometheus_client import CollectorRegistry, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.telemetry import latency_histogram

_UNROUTED: Final = "(none)"


class RequestLatency:
    """The histogram ``restep_request_seconds`` of one server."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._histogram = latency_histogram(
            registry, "restep_request_seconds", "time from request to answer", ("method", "route", "status")
        )
        self._children: dict[tuple[str, str, int], Histogram] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        key = (method, route, status)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._histogram.labels(method, route, str(status))
        child.observe(seconds)


class MeasureRequests:
    """ASGI middleware, outermost: times every request under its route's template, so that ids make no new series."""

    def __init__(self, app: ASGIApp, latency: RequestLatency) -> None:
        self._app = app
        self._latency = latency

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        begun = time.perf_counter()
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", _UNROUTED)
            method = scope["method"] if route != _UNROUTED else _UNROUTED
            self._latency.observe(method, route, status, time.perf_counter() - begun)
