"""What the dashboard and the alerts of ``docker/observability`` ask Prometheus for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).resolve().parents[2] / "docker" / "observability"
DASHBOARD = FOLDER / "grafana" / "dashboards" / "restep.json"
ALERTS = FOLDER / "prometheus" / "alerts.yml"

_NO_METRICS = re.compile(r"\{[^}]*\}|\[[^\]]*\]|\bby\s*\([^)]*\)")


def panels() -> list[dict[str, Any]]:
    """The dashboard's panels, rows left out."""
    return [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row"]


def dashboard_expressions() -> list[str]:
    """Of every panel, with Grafana's variables filled in."""
    written = [target["expr"] for panel in panels() for target in panel["targets"]]
    return [expression.replace("$__rate_interval", "1m").replace("$job", ".+") for expression in written]


def alert_expressions() -> list[str]:
    """Of every alert."""
    return [rule["expr"] for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def metric_names(prefix: str) -> set[str]:
    """Metrics with a prefix that any expression reads."""
    bare = [_NO_METRICS.sub("", expression) for expression in (*dashboard_expressions(), *alert_expressions())]
    return {name for expression in bare for name in re.findall(rf"\b{prefix}\w+", expression)}


def shown(metrics: str) -> set[str]:
    """Names in the text format."""
    return {re.split(r"[{ ]", line, maxsplit=1)[0] for line in metrics.splitlines() if line and not line.startswith("#")}
