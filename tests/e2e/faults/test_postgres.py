"""PostgreSQL under a run: it crashes and comes back, and connections to it break at every point of a transaction."""

from __future__ import annotations

import asyncio

import pytest

from shared.store import Entry, TrajectoryStore
from shared.trajectory import Trajectory
from tests.e2e.faults.conftest import Unbroken
from tests.support.driver import Driver
from tests.support.postgres import PostgresServer
from tests.support.run_plan import RUN, Plan
from tests.support.same_run import assert_same_run
from tests.support.tcp_proxy import TcpProxy

pytestmark = pytest.mark.slow


async def test_a_crash(postgres: PostgresServer, houses: Plan, unbroken: Unbroken) -> None:
    """Twice, under a driver that goes on by itself; then under one that is killed with it."""
    expected = await asyncio.to_thread(unbroken, houses)
    shared = houses.into(postgres.new_schema())
    async with Driver(shared.store, shared.command) as driver:
        for units in (1, 5):
            before = await driver.reached(units)
            await asyncio.to_thread(postgres.stop, "immediate")
            await asyncio.sleep(0.5)
            await asyncio.to_thread(postgres.start)
        await driver.kill()
        await driver.start()
        code, out, errors = await driver.ended()
        assert (code, out) == (0, "12\n"), errors
        assert_same_run(driver.store, expected, before)


LOST = pytest.mark.parametrize("lost_answer", [False, True], ids=["the request is lost", "the answer is lost"])


@LOST
async def test_connections_that_break(postgres: PostgresServer, houses: Plan, unbroken: Unbroken, lost_answer: bool) -> None:
    """Every packet of a commit and of what comes before it, in turn: each episode is stored once."""
    expected = await asyncio.to_thread(unbroken, houses)
    trajectories = list(expected.trajectories(RUN))
    url = postgres.new_schema()
    async with TcpProxy(postgres.port) as proxy:
        through = url.replace(f":{postgres.port}/", f":{proxy.port}/")
        proxy.lost_answer = lost_answer
        store = await asyncio.to_thread(TrajectoryStore, through)

        def of(number: int) -> Trajectory:
            return trajectories[number % len(trajectories)]

        async def commit(number: int) -> bool:
            return await asyncio.to_thread(store.commit, of(number), attempt=number, kept=True)

        assert await commit(0)
        begun = proxy.sent
        assert not await commit(0)
        packets = proxy.sent - begun
        assert packets >= 4, "a transaction takes some"
        for packet in range(packets):
            proxy.cut_at = proxy.sent + packet
            assert await commit(1 + packet)
            assert proxy.sent > proxy.cut_at, "nothing was cut"
            assert not await commit(1 + packet)
        units = [(unit.task_id, unit.attempt) for unit in await asyncio.to_thread(store.units, RUN)]
        assert sorted(units) == sorted((of(n).task.id, n) for n in range(1 + packets))
        await asyncio.to_thread(store.close)


@LOST
async def test_connections_that_break_under_a_models_books(postgres: PostgresServer, lost_answer: bool) -> None:
    """Every packet of a booking and of keeping an answer, in turn: what was paid is booked once, the first answer holds."""
    url = postgres.new_schema()
    async with TcpProxy(postgres.port) as proxy:
        proxy.lost_answer = lost_answer
        store = await asyncio.to_thread(TrajectoryStore, url.replace(f":{postgres.port}/", f":{proxy.port}/"))
        books = store.books("teacher")

        async def book(number: int) -> str:
            paid = Entry(0.0, "reflected/house", "judge", "answered", prompt_tokens=10**number)
            await asyncio.to_thread(books.enter, paid)
            return await asyncio.to_thread(books.keep, str(number), f"answer {number}")

        await book(0)
        begun = proxy.sent
        await book(1)
        packets = proxy.sent - begun
        assert packets >= 8, "a transaction takes some, and these are three"
        for packet in range(packets):
            proxy.cut_at = proxy.sent + packet
            assert await book(2) == "answer 2"
            assert proxy.sent > proxy.cut_at, "nothing was cut"
        assert (await asyncio.to_thread(books.tally)).tokens == 11 + 100 * packets
        await asyncio.to_thread(store.close)
