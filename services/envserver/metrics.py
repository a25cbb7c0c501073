"""What /metrics shows: latency by route and status, the sessions and their work, and the engine's own gauges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from prometheus_client import CollectorRegistry

from services.envserver.service import Service
from services.http.latency import RequestLatency
from shared.telemetry import ReadingsCollector, render_metrics


class Metrics:
    """The registry of one server."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._registry = CollectorRegistry()
        self._registry.register(ReadingsCollector("restep", gauges=self._gauges, counters=self._counters))
        self.latency = RequestLatency(self._registry)

    def render(self) -> bytes:
        """The Prometheus text format."""
        return render_metrics(self._registry)

    def _gauges(self) -> Mapping[str, float]:
        service = self._service
        engine: Mapping[str, float] = service.environment.metrics() if service.loaded else {}
        return {
            "ready": float(service.loaded and not service.work.draining),
            "sessions": float(len(service.sessions)),
            "session_capacity": float(service.sessions.capacity),
            "pending_steps": float(service.work.pending),
            "queue_limit": float(service.work.limit),
            **{f"engine_{name}": float(value) for name, value in engine.items()},
        }

    def _counters(self) -> Mapping[str, float]:
        return {name: float(value) for name, value in asdict(self._service.tally).items()}
