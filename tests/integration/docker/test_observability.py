"""Dashboard, alerts and scraping are code: what they name exists, and Prometheus takes them."""

from __future__ import annotations

import shutil
import subprocess
from itertools import combinations

import httpx
import pytest
import yaml

from shared.agent_protocol import ReactStepRequest
from tests.support.observability import ALERTS, DASHBOARD, FOLDER, metric_names, panels, shown
from tests.support.server import ROOT, ServerProcess


@pytest.fixture(scope="module")
def served() -> set[str]:
    """Names that a ScienceWorld server and an agent show, after a question that is no ReAct turn."""
    with (
        ServerProcess(["-m", "trainer.cli", "serve", "sciworld", "--port", "0", "--workers", "1"]) as sciworld,
        ServerProcess(["-m", "trainer.cli", "serve", "agent", "--port", "0"]) as agent,
    ):
        begun = httpx.post(f"{sciworld.url}/v1/sessions", json={"split": "dev", "index": 0}, timeout=120).json()
        step = {"seq": 1, "action": "look around"}
        httpx.post(f"{sciworld.url}/v1/sessions/{begun['session_id']}/steps", json=step, timeout=120)
        asked = ReactStepRequest(prompt_token_ids=[5], max_tokens=1).model_dump(mode="json", exclude_none=True)
        httpx.post(f"{agent.url}/v1/react/steps", json=asked, timeout=120).raise_for_status()
        return {name for server in (sciworld, agent) for name in shown(httpx.get(f"{server.url}/metrics").text)}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_metric_of_ours_exists(served: set[str]) -> None:
    asked = metric_names("restep_")
    assert len(asked) > 20
    assert asked <= served


def test_panels_ask_the_datasource_that_is_provisioned_and_do_not_overlap() -> None:
    sources = yaml.safe_load((FOLDER / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"]
    assert {panel["datasource"]["uid"] for panel in panels()} == {source["uid"] for source in sources}
    for one, other in combinations([panel["gridPos"] for panel in panels()], 2):
        apart = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert apart or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]


def test_dashboards_are_mounted_where_the_provider_looks() -> None:
    provider = yaml.safe_load((FOLDER / "grafana/provisioning/dashboards/restep.yml").read_text())["providers"][0]
    mounts = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["grafana"]["volumes"]
    assert f"./{DASHBOARD.parent.relative_to(ROOT)}:{provider['options']['path']}:ro" in mounts


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian's prometheus) is not installed")
def test_promtool_accepts_scraping_and_alerts() -> None:
    scraping = ["config", "--syntax-only", str(FOLDER / "prometheus" / "prometheus.yml")]
    for what in (scraping, ["rules", str(ALERTS)]):
        checked = subprocess.run(["promtool", "check", *what], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr
