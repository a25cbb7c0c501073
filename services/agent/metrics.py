"""What /metrics shows of the agent: turns and how many break the format, tokens, the batch, reloads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from services.agent.service import AgentService
from services.http.latency import RequestLatency
from shared.telemetry import ReadingsCollector, render_metrics


class Metrics:
    """The registry of one service."""

    def __init__(self, service: AgentService) -> None:
        self._service = service
        self._registry = CollectorRegistry()
        self._registry.register(ReadingsCollector("restep_agent", gauges=self._gauges, counters=self._counters))
        self._registry.register(_FormatFailures(service))
        self.latency = RequestLatency(self._registry)

    def render(self) -> bytes:
        """The Prometheus text format."""
        return render_metrics(self._registry)

    def _gauges(self) -> Mapping[str, float]:
        return {"requests_in_flight": self._service.in_flight, **self._service.backend.gauges()}

    def _counters(self) -> Mapping[str, float]:
        service = self._service
        return {"turns": service.turns, "turns_cut_off": service.cut_off, **service.backend.counters()}


class _FormatFailures(Collector):
    def __init__(self, service: AgentService) -> None:
        self._service = service

    def collect(self) -> Iterable[Metric]:
        """Answers that are no ReAct turn, by reason."""
        family = CounterMetricFamily("restep_agent_format_failures", "answers that break the ReAct format", labels=["reason"])
        for reason, count in self._service.format_failures.items():
            family.add_metric([reason], count)
        yield family
