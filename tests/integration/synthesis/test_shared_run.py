"""Several processes collect one run from one store: each unit once, and who dies leaves its units to the others."""

import asyncio
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Callable

import pytest

from services.envserver.app import create_app
from shared.settings import EnvironmentSettings
from shared.store import TrajectoryStore
from tests.integration.synthesis.test_interruption import TASKS, contents, start, wait_for_units
from tests.support.collector import ATTEMPTS, collect_all
from tests.support.corridor import CorridorWorld
from tests.support.live import live

UNITS = TASKS * ATTEMPTS["golden"]


@pytest.fixture
async def server() -> AsyncGenerator[str]:
    async with live(create_app(CorridorWorld(), EnvironmentSettings(expert=True))) as url:
        yield url


async def ended(process: Process) -> str:
    out, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return out.decode()


@pytest.mark.slow
async def test_two_processes_share_a_run_and_both_end_with_all_of_it(server: str, place: str) -> None:
    processes = [await start("golden", server, place) for _ in range(2)]
    assert await asyncio.gather(*map(ended, processes)) == [f"{UNITS}\n"] * 2
    with TrajectoryStore(place) as store:
        assert len(store.units("run")) == UNITS
        assert store.failures("run") == []
        assert store.unfinished("run") == 0


@pytest.mark.slow
async def test_units_of_a_killed_process_are_played_by_the_other(server: str, new_place: Callable[[], str]) -> None:
    shared, alone = new_place(), new_place()
    with TrajectoryStore(shared) as store, TrajectoryStore(alone) as unbroken:
        first, second = [await start("golden", server, shared) for _ in range(2)]
        await wait_for_units(store, 3, first)
        first.send_signal(signal.SIGKILL)
        await first.communicate()
        before = contents(store)
        assert len(before) < UNITS
        assert await ended(second) == f"{UNITS}\n"
        await collect_all("golden", server, alone)
        assert set(before) <= set(contents(store))
        assert contents(store) == contents(unbroken)
