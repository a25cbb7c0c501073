"""The viewer beside a collection that is going: it tells how far it is, and the collector never notices it."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest

from services.envserver.app import create_app
from shared.settings import EnvironmentSettings
from shared.store import TrajectoryStore
from tests.support.collector import ATTEMPTS
from tests.support.corridor import CorridorWorld
from tests.support.live import live
from tests.support.server import ROOT, ServerProcess

EPISODES = 8 * ATTEMPTS["scripted"]
pytestmark = pytest.mark.slow


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    (tmp_path / "corridor").mkdir()
    return tmp_path


@pytest.fixture
def viewer(runs: Path) -> Generator[ServerProcess]:
    with ServerProcess(["-m", "trainer.cli", "serve", "viewer", "--port", "0", "--runs", str(runs)]) as running:
        yield running


async def collector(server: str, database: Path) -> Process:
    program = "import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    script = str(ROOT / "tests/support/collector.py")
    command = [sys.executable, "-c", program, script, "scripted", server, str(database)]
    return await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=PIPE, stderr=PIPE)


async def test_a_collection_is_watched_and_then_read(runs: Path, viewer: ServerProcess) -> None:
    database = runs / "corridor" / "trajectories.db"
    async with (
        live(create_app(CorridorWorld(), EnvironmentSettings(expert=True))) as server,
        httpx.AsyncClient(base_url=viewer.url, timeout=60) as client,
    ):
        process = await collector(server, database)
        await watch(process, client)
        out, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
        assert int(out) == EPISODES
        await read(client, database)


async def watch(process: Process, client: httpx.AsyncClient) -> None:
    """Follow the progress to its end: it grows step by step."""
    seen: list[int] = []
    while process.returncode is None:
        for run in (await client.get("/api/runs")).raise_for_status().json()["runs"]:
            assert run["state"] == "going"
            assert not run["troubles"] or not seen or seen[-1] == 0  # the store is being made
            seen.append(run["finished"])
        await asyncio.sleep(0.02)
    assert seen == sorted(seen)
    assert len(set(seen)) > 2


async def read(client: httpx.AsyncClient, database: Path) -> None:
    """Every episode has its page and its document, and reading changed nothing."""
    before = contents(database)
    with TrajectoryStore(database, read_only=True) as store:
        units, documents = store.units("run"), list(store.trajectories("run"))
    for unit, document in zip(units, documents, strict=True):
        path = f"/runs/corridor/collections/run/episodes/{unit.task_id}/{unit.attempt}"
        page = await client.get(path)
        assert page.status_code == 200
        assert page.text.count('<li class="step ') == len(document.steps)
        assert (await client.get(f"/api{path}")).content == document.dumps()
    assert f"<td>{EPISODES}</td>" in (await client.get("/runs/corridor")).text
    assert len(documents) == EPISODES
    assert contents(database) == before


def contents(database: Path) -> dict[str, str]:
    """Every file of the store; its index in shared memory counts who reads."""
    files = (path for path in database.parent.iterdir() if not path.name.endswith("-shm"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
