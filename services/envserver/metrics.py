"""What /metrics shows: latency by route and status, the sessions and their work, and the engine's own gauges."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

from prometheus_client import CollectorRegistry, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.envserver.service import Service
from shared.telemetry import ReadingsCollector, latency_histogram, render_metrics

_UNROUTED: Final = "(none)"


class Metrics:
    """The registry of one server."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._registry = CollectorRegistry()
        self._registry.register(ReadingsCollector("restep", gauges=self._gauges, counters=self._counters))
        self._latency = latency_histogram(
            self._registry, "restep_request_seconds", "time from request to answer", ("method", "route", "status")
        )
        self._children: dict[tuple[str, str, int], Histogram] = {}

    def render(self) -> bytes:
        """The Prometheus text format."""
        return render_metrics(self._registry)

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        key = (method, route, status)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._latency.labels(method, route, str(status))
        child.observe(seconds)

    def _gauges(self) -> Mapping[str, float]:
        service = self._service
        engine: Mapping[str, float] = service.environment.metrics() if service.loaded else {}
        return {
            "ready": float(service.ready),
            "sessions": float(len(service.sessions)),
            "session_capacity": float(service.sessions.capacity),
            "pending_steps": float(service.work.pending),
            "queue_limit": float(service.work.limit),
            **{f"engine_{name}": float(value) for name, value in engine.items()},
        }

    def _counters(self) -> Mapping[str, float]:
        return {name: float(value) for name, value in asdict(self._service.tally).items()}


class MeasureRequests:
    """ASGI middleware, outermost: times every request under its route's template, so that ids make no new series."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

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
            self._metrics.observe(method, route, status, time.perf_counter() - begun)
