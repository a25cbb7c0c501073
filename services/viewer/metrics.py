"""What /metrics shows of the viewer: latency by route and status, and how often somebody was let in or not."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry

from services.http.latency import RequestLatency
from services.viewer.service import ViewerService
from shared.telemetry import ReadingsCollector, render_metrics


class Metrics:
    """The registry of one service."""

    def __init__(self, service: ViewerService) -> None:
        self._service = service
        self._registry = CollectorRegistry()
        self._registry.register(ReadingsCollector("restep_viewer", gauges=dict, counters=self._counters))
        self.latency = RequestLatency(self._registry)

    def render(self) -> bytes:
        """The Prometheus text format."""
        return render_metrics(self._registry)

    def _counters(self) -> Mapping[str, float]:
        return {"logins": self._service.logins, "logins_refused": self._service.logins_refused}
