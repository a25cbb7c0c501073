"""Logging and metrics, set up the same way in every process.

Logs go to standard error, one line a record, so that standard output stays free for what a program answers.
Metrics live in a registry of the application's own: two applications in one process do not meet.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

METRICS_MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LATENCY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)
"""Seconds: from an inline engine's step to a slow expert."""

Readings = Callable[[], Mapping[str, float]]


def configure_logging(level: str = "info") -> None:
    """Send records of ``level`` and above to standard error. Replaces what was configured before."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for noisy in ("httpx", "httpcore", "uvicorn.error"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLogger().level))


def latency_histogram(registry: CollectorRegistry, name: str, help_text: str, labels: Iterable[str]) -> Histogram:
    """A histogram of seconds with the project's buckets."""
    return Histogram(name, help_text, list(labels), buckets=LATENCY_BUCKETS, registry=registry)


class ReadingsCollector(Collector):
    """Numbers a service keeps anyway, read when someone scrapes: counting costs the hot path nothing."""

    def __init__(self, prefix: str, *, gauges: Readings, counters: Readings) -> None:
        self._prefix = prefix
        self._gauges = gauges
        self._counters = counters

    def collect(self) -> Iterable[Metric]:
        """The current values, one metric a name."""
        for name, value in self._gauges().items():
            yield GaugeMetricFamily(f"{self._prefix}_{name}", name.replace("_", " "), value=value)
        for name, value in self._counters().items():
            yield CounterMetricFamily(f"{self._prefix}_{name}", name.replace("_", " "), value=value)


def render_metrics(registry: CollectorRegistry) -> bytes:
    """The registry in the Prometheus text format."""
    return generate_latest(registry)
