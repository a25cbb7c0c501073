"""Requests made from OpenAPI: every service keeps what it declares, and one that does not is found."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, HTTPException

from benchmarks.fuzz import Fuzzed, answers, attack, table
from services.agent.app import create_app as create_agent
from services.agent.settings import AgentSettings
from services.envserver.app import create_app
from services.viewer.app import create_app as create_viewer
from services.viewer.settings import ViewerSettings
from shared.settings import EnvironmentSettings
from tests.support.cellar import Cellar
from tests.support.live import live
from tests.support.tiny_model import tiny_checkpoint


@pytest.mark.slow
async def test_an_environment_server_keeps_what_it_declares() -> None:
    settings = EnvironmentSettings(expert=True, capacity=64)
    async with live(create_app(Cellar(), settings)) as url:
        async with httpx.AsyncClient(base_url=url) as client:
            for number in range(1, 9):  # for requests to find; the document's example is a task of another environment
                (await client.put(f"/v1/sessions/s{number}", json={"task_id": f"cellar/{number}"})).raise_for_status()
        assert await attack(url, seed=1, examples=1) == ""
        found = await answers(url)
    assert sum(found.values()) > 200
    assert {200, 204, 404, 405, 422} <= found.keys()
    assert max(found) < 500


@pytest.mark.slow
async def test_the_agent_and_the_viewer_keep_what_they_declare(tmp_path: Path) -> None:
    checkpoint = str(tiny_checkpoint(tmp_path / "checkpoint", context=48))
    agent = create_agent(AgentSettings(checkpoint=checkpoint, kv_mib=64))
    for app in (agent, create_viewer(ViewerSettings(runs=tmp_path / "runs"))):
        async with live(app) as url:
            assert await attack(url, seed=1, examples=1) == ""
            assert max(await answers(url)) < 500


async def test_a_server_that_does_not_is_found() -> None:
    app = FastAPI()

    @app.get("/share")
    async def share(among: int) -> float:  # pyright: ignore[reportUnusedFunction]
        if among == 0:
            raise HTTPException(500)
        return 1 / among

    async with live(app) as url:
        findings = await attack(url, seed=1, examples=20)
    assert "GET /share" in findings
    assert "[500]" in findings


def test_answers_are_told_by_status() -> None:
    results = [Fuzzed("one", {200: 3, 404: 1}, ""), Fuzzed("two", {200: 1, 500: 2}, "bad")]
    assert [(each.requests, each.server_errors) for each in results] == [(4, 0), (3, 2)]
    assert table(results).splitlines()[-1] == "| two | 3 | 1 | 0 | 2 |"
