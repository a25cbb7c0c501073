"""kill -9 of everything that takes part in a collection, in the middle of it."""

from __future__ import annotations

import asyncio

import psutil
import pytest

from tests.e2e.faults.conftest import Unbroken
from tests.support.driver import Driver
from tests.support.mortal import Mortal
from tests.support.run_plan import Plan
from tests.support.same_run import assert_same_run, finished
from tests.support.waiting import until

pytestmark = pytest.mark.slow


async def test_a_jvm(sciworld: Mortal, laboratory: Plan, unbroken: Unbroken) -> None:
    """One with episodes on it, then the one that took them over."""
    expected = await asyncio.to_thread(unbroken, laboratory)
    async with Driver(laboratory) as driver:
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


async def test_a_whole_server(alfworld: Mortal, houses: Plan, unbroken: Unbroken) -> None:
    expected = await asyncio.to_thread(unbroken, houses)
    async with Driver(houses) as driver:
        before = await driver.reached(2)
        alfworld.kill()
        await asyncio.to_thread(alfworld.start)
        code, out, errors = await driver.ended()
        assert (code, out) == (0, "12\n"), errors
        assert_same_run(driver.store, expected, before)


async def test_a_driver(houses: Plan, unbroken: Unbroken) -> None:
    expected = await asyncio.to_thread(unbroken, houses)
    async with Driver(houses) as driver:
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
    async with Driver(lessons) as driver:
        before = await driver.reached(1)
        agent.kill()
        await asyncio.to_thread(agent.start)
        code, out, errors = await driver.ended()
        assert (code, out) == (0, "8\n"), errors
        assert_same_run(driver.store, expected, before)
