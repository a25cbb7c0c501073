from __future__ import annotations

import logging
from collections.abc import Generator

import pytest
from prometheus_client import CollectorRegistry

from shared.telemetry import ReadingsCollector, configure_logging, latency_histogram, render_metrics


@pytest.fixture(autouse=True)
def logging_as_before() -> Generator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_logs_go_to_standard_error_one_line_a_record(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")
    logging.getLogger("restep.test").info("hello %d", 3)
    logging.getLogger("restep.test").debug("unheard")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.endswith("INFO restep.test: hello 3\n")
    assert captured.err.count("\n") == 1


def test_readings_are_taken_when_scraped() -> None:
    registry = CollectorRegistry()
    gauges, counters = {"open": 1.0}, {"steps": 5.0}
    registry.register(ReadingsCollector("restep", gauges=lambda: gauges, counters=lambda: counters))
    gauges["open"], counters["steps"] = 2.0, 6.0
    lines = render_metrics(registry).decode().splitlines()
    assert "restep_open 2.0" in lines
    assert "restep_steps_total 6.0" in lines


def test_latencies_are_counted_by_label() -> None:
    registry = CollectorRegistry()
    histogram = latency_histogram(registry, "restep_thing_seconds", "time of a thing", ["kind"])
    histogram.labels("fast").observe(0.002)
    lines = render_metrics(registry).decode().splitlines()
    assert 'restep_thing_seconds_bucket{kind="fast",le="0.001"} 0.0' in lines
    assert 'restep_thing_seconds_bucket{kind="fast",le="0.0025"} 1.0' in lines
