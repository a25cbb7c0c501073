"""The viewer over a store that several experiments share in PostgreSQL, which it may read and nothing else."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.store import TrajectoryStore
from tests.support.documents import make_trajectory
from tests.support.postgres import PostgresServer
from tests.support.runs import make_run
from tests.support.server import ServerProcess

pytestmark = pytest.mark.slow


async def test_runs_of_folder_and_database_stand_side_by_side(postgres: PostgresServer, tmp_path: Path) -> None:
    url = postgres.new_schema()
    (tmp_path / "password").write_text(postgres.password)
    secret = {"RESTEP_STORE_PASSWORD_FILE": str(tmp_path / "password")}
    make_run(tmp_path / "runs")
    command = ["-m", "trainer.cli", "serve", "viewer", "--port", "0", "--runs", str(tmp_path / "runs")]
    with ServerProcess(
        command, {**secret, "RESTEP_STORE": url.replace(f":{postgres.password}", ""), "RESTEP_LOG_LEVEL": "debug"}
    ) as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
            before = (await client.get("/", headers={"accept": "text/html"})).text
            assert "trial" in before  # the database has no store yet, and the page says so
            assert 'class="trouble"' in before
            with TrajectoryStore(url) as store:
                for run in ("trial/golden/webshop", "far/golden/sciworld"):
                    store.commit(make_trajectory("a/1", run=run), kept=True)
            names = await found(client, "far")
            path = "/collections/golden/webshop/episodes/a/1/0"
            document = (await client.get(f"/api/runs/trial{path}")).json()
            page = await client.get(f"/runs/trial{path}")
        told = server.errors() + before
    assert names.keys() == {"trial", "far"}
    assert "golden/webshop" in {one["name"] for one in names["trial"]["collections"]}
    assert document["task"]["id"] == "a/1"
    assert "thought 0" in page.text
    assert postgres.password not in told


async def found(client: httpx.AsyncClient, name: str) -> dict[str, Any]:
    """All runs, once this one is there: a store that failed is asked again after some seconds."""
    while name not in (names := {run["name"]: run for run in (await client.get("/api/runs")).json()["runs"]}):  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0.5)
    return names
