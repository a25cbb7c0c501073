"""Shards: order, load, and life after the death of a JVM."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from services.sciworld.jvm import Jvm
from services.sciworld.shard import Shard
from shared.errors import EngineLost, RestepError


@pytest_asyncio.fixture
async def shard() -> AsyncIterator[Shard]:
    shard = Shard(0)
    await shard.start()
    yield shard
    await shard.stop()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition; the test's own time limit is the deadline."""
    while not condition():  # noqa: ASYNC110 (the end of a process sets no event)
        await asyncio.sleep(0.05)


def kill(shard: Shard) -> int:
    assert shard.pid is not None
    os.kill(shard.pid, signal.SIGKILL)
    return shard.pid


async def test_calls_run_in_order_on_one_thread(shard: Shard) -> None:
    seen: list[tuple[int, str]] = []

    def note(number: int) -> int:
        seen.append((number, threading.current_thread().name))
        return number

    assert await asyncio.gather(*(shard.run(note, number) for number in range(50))) == list(range(50))
    assert [number for number, _ in seen] == list(range(50))
    assert len({name for _, name in seen}) == 1
    assert shard.pending == 0


async def test_an_exception_of_the_function_is_the_callers(shard: Shard) -> None:
    def fail() -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await shard.run(fail)
    assert shard.alive
    assert shard.restarts == 0


async def test_simulators_are_recycled(shard: Shard) -> None:
    first = await shard.run(shard.acquire)
    await shard.run(shard.release, first)
    assert await shard.run(shard.acquire) is first
    assert await shard.run(shard.acquire) is not first


async def test_a_jvm_that_dies_idle_is_replaced(shard: Shard) -> None:
    old = await shard.run(shard.acquire)
    pid = kill(shard)
    await until(lambda: shard.alive and shard.pid != pid)
    assert shard.restarts == 1
    with pytest.raises(EngineLost):
        await shard.run(old.look)
    await shard.run(shard.release, old)
    assert await shard.run(shard.acquire) is not old


async def test_a_jvm_that_dies_under_a_call_fails_it_and_the_next_runs(shard: Shard) -> None:
    simulator = await shard.run(shard.acquire)
    started = threading.Event()

    def long_play() -> None:
        simulator.load("grow-fruit", 0)
        started.set()
        for _ in range(100_000):
            simulator.step("wait")

    first = asyncio.create_task(shard.run(long_play))
    second = asyncio.create_task(shard.run(shard.acquire))
    await asyncio.to_thread(started.wait)
    kill(shard)
    with pytest.raises(EngineLost):
        await first
    assert (await second).world.jvm.alive
    assert shard.restarts == 1


async def test_stop_ends_the_work_and_the_jvm() -> None:
    shard = Shard(0)
    await shard.start()
    pid = shard.pid
    assert pid is not None
    simulator = await shard.run(shard.acquire)
    started = threading.Event()

    def endless() -> None:
        simulator.load("boil", 0)
        started.set()
        while True:
            simulator.step("wait")

    running, queued = asyncio.create_task(shard.run(endless)), asyncio.create_task(shard.run(simulator.look))
    await asyncio.to_thread(started.wait)
    await shard.stop()
    await shard.stop()
    for call in (running, queued):
        with pytest.raises(EngineLost):
            await call
    assert not psutil.pid_exists(pid)
    with pytest.raises(EngineLost):
        await shard.run(simulator.look)


async def test_a_jvm_that_cannot_start_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    shard = Shard(0, lambda: Jvm(java=tmp_path / "java"))
    with pytest.raises(RestepError) as caught:
        await shard.start()
    assert caught.value.code == "engine_failed"
    assert not shard.alive
    await shard.stop()


async def test_a_jvm_that_cannot_start_again_is_tried_at_every_call(tmp_path: Path) -> None:
    launches = 0

    def launch() -> Jvm:
        nonlocal launches
        launches += 1
        return Jvm(java=tmp_path / "java") if launches in (2, 3) else Jvm()

    shard = Shard(0, launch)
    await shard.start()
    kill(shard)
    await until(lambda: launches >= 2)
    with pytest.raises(EngineLost):
        await shard.run(shard.acquire)
    assert (await shard.run(shard.acquire)).world.jvm.alive
    await shard.stop()
