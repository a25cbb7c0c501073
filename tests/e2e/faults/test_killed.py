"""kill -9 of everything that takes part in a collection, in the middle of it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import psutil
import pytest

from tests.e2e.faults.conftest import Unbroken, recipe_of
from tests.support.driver import Driver
from tests.support.mortal import Mortal
from tests.support.run_plan import Plan
from tests.support.same_run import assert_same_run, finished
from tests.support.tiny_model import tiny_checkpoint
from tests.support.waiting import until
from trainer.tasks import TaskSelection

pytestmark = pytest.mark.slow

TEXTWORLD = os.environ.get("RESTEP_TEXTWORLD_PYTHON", "")
VLLM = os.environ.get("RESTEP_VLLM_PYTHON", "")


async def test_a_jvm(sciworld: Mortal, laboratory: Plan, unbroken: Unbroken) -> None:
    """One with episodes on it, then the one that took them over."""
    expected = await asyncio.to_thread(unbroken, laboratory)
    async with Driver(laboratory.store, laboratory.command) as driver:
        before = await driver.reached(1)
        first = jvms(sciworld)[0]
        first.kill()
        await until(lambda: len(jvms(sciworld)) == 2 and first not in jvms(sciworld))
        assert len(finished(driver.store)) < 6, "nothing was in flight"
        for jvm in jvms(sciworld):
            jvm.kill()
        code, out, errors = await driver.ended()
        assert (code, out) == (0, "6\n"), errors
        assert_same_run(driver.store, expected, before)


def jvms(server: Mortal) -> list[psutil.Process]:
    children = psutil.Process(server.pid).children()
    return [child for child in children if child.name() == "java" and child.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.skipif(not TEXTWORLD, reason="needs make textworld, RESTEP_TEXTWORLD_PYTHON")
async def test_a_worker_process(houses: Plan, unbroken: Unbroken, tmp_path: Path) -> None:
    """Of the benchmark's own engine: every worker dies at once, those that took over too."""
    settings = {"RESTEP_TEXTWORLD_PYTHON": TEXTWORLD}
    with Mortal("alfworld", "--expert", "--engine", "textworld", "--workers", "2", settings=settings) as server:
        plan = houses.through(server.url).model_copy(update={"tasks": TaskSelection(split="embedded_train", limit=5)})
        expected = await asyncio.to_thread(unbroken, plan)
        async with Driver(plan.store, plan.command) as driver:
            for units in (1, 3):
                before = await driver.reached(units)
                workers = psutil.Process(server.pid).children(recursive=True)
                assert workers
                for worker in workers:
                    worker.kill()
            code, out, errors = await driver.ended()
            assert (code, out) == (0, "5\n"), errors
            assert_same_run(driver.store, expected, before)


async def test_a_whole_server(alfworld: Mortal, houses: Plan, unbroken: Unbroken) -> None:
    expected = await asyncio.to_thread(unbroken, houses)
    async with Driver(houses.store, houses.command) as driver:
        before = await driver.reached(2)
        alfworld.kill()
        await asyncio.to_thread(alfworld.start)
        code, out, errors = await driver.ended()
        assert (code, out) == (0, "12\n"), errors
        assert_same_run(driver.store, expected, before)


async def test_a_server_that_the_command_has_started_itself(houses: Plan, unbroken: Unbroken, tmp_path: Path) -> None:
    """Nobody else would bring it back."""
    expected = await asyncio.to_thread(unbroken, houses)
    recipe = recipe_of(houses.through(""), tmp_path)
    (tmp_path / recipe.stem).mkdir()
    command = ["-m", "trainer.cli", "collect", "golden", str(recipe), "--runs", str(tmp_path)]
    async with Driver(str(tmp_path / recipe.stem / "trajectories.db"), command, "golden/alfworld") as driver:
        before = await driver.reached(2)
        (server,) = psutil.Process(driver.process.pid).children()
        server.kill()
        code, _, errors = await driver.ended()
        assert code == 0, errors
        assert "the alfworld server ended with exit code -9 and is started again" in errors
        assert_same_run(driver.store, expected, before, driver.run)


async def test_a_driver(houses: Plan, unbroken: Unbroken) -> None:
    expected = await asyncio.to_thread(unbroken, houses)
    async with Driver(houses.store, houses.command) as driver:
        for units in (1, 5):
            before = await driver.reached(units)
            await driver.kill()
            assert driver.process.returncode == -9
            await driver.start()
        code, out, errors = await driver.ended()
        assert (code, out) == (0, "12\n"), errors
        assert_same_run(driver.store, expected, before)


async def test_an_agent(agent: Mortal, lessons: Plan, unbroken: Unbroken) -> None:
    expected = await asyncio.to_thread(unbroken, lessons)
    async with Driver(lessons.store, lessons.command) as driver:
        before = await driver.reached(1)
        agent.kill()
        await asyncio.to_thread(agent.start)
        code, out, errors = await driver.ended()
        assert (code, out) == (0, "8\n"), errors
        assert_same_run(driver.store, expected, before)


@pytest.mark.skipif(not VLLM, reason="needs vLLM: make vllm, RESTEP_VLLM_PYTHON")
@pytest.mark.timeout(900)
async def test_vllm(lessons: Plan, unbroken: Unbroken, tmp_path: Path) -> None:
    """It dies with all its processes; the agent service stays, and starts it again with what it served."""
    checkpoint = tiny_checkpoint(tmp_path / "tiny", head=32, spread=0.2, context=2048)
    flags = ("--checkpoint", str(checkpoint), "--backend", "vllm", "--vllm-python", VLLM)
    with Mortal("agent", *flags, settings={"RESTEP_KV_MIB": "64"}) as agent:
        plan = lessons.model_copy(update={"agent": agent.url, "checkpoint": str(checkpoint), "patience": 600.0})
        expected = await asyncio.to_thread(unbroken, plan)
        async with Driver(plan.store, plan.command) as driver:
            before = await driver.reached(1)
            for process in psutil.Process(agent.pid).children(recursive=True):
                process.kill()
            assert len(finished(driver.store)) < 8, "nothing was in flight"
            code, out, errors = await driver.ended()
            assert (code, out) == (0, "8\n"), errors
            assert_same_run(driver.store, expected, before)
