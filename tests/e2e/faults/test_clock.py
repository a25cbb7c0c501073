"""Clocks that jump, forward beyond every lease and back: of sessions on a server, of units in the store."""

from __future__ import annotations

import asyncio

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from services.alfworld.direct import DirectEngine
from services.alfworld.environment import AlfWorld
from services.alfworld.library import embedded_library
from services.envserver.app import create_app
from services.envserver.service import Service
from shared.settings import EnvironmentSettings
from shared.store import TrajectoryStore
from tests.e2e.faults.conftest import Unbroken
from tests.support.live import live
from tests.support.run_plan import Plan, carry_out
from tests.support.same_run import assert_same_run, finished
from tests.support.waiting import until

pytestmark = pytest.mark.slow

LEASE = 100.0


async def test_leases_of_sessions(houses: Plan, unbroken: Unbroken) -> None:
    """Every idle session ends at once, under the episodes in flight, three times; then the clock goes back by a day."""
    expected = await asyncio.to_thread(unbroken, houses)
    now = 0.0
    app = create_app(
        AlfWorld(embedded_library, DirectEngine()), EnvironmentSettings(expert=True, lease_seconds=LEASE), clock=lambda: now
    )
    service: Service = app.state.service
    async with live(app) as url:
        collecting = asyncio.create_task(carry_out(houses.through(url)))
        with TrajectoryStore(houses.store) as store:
            for units in (1, 4, 7):
                while len(finished(store)) < units:
                    assert not collecting.done(), "it met no jump"
                    await asyncio.sleep(0.01)
                now += LEASE
                while not service.sessions.reap():
                    assert not collecting.done(), "no session was there"
                    await asyncio.sleep(0.001)
                    now += LEASE
            now -= 86_400
            await collecting
            assert service.tally.sessions_expired >= 3
            assert_same_run(store, expected)


@pytest.mark.parametrize("jump", [3600.0, -86_400.0], ids=["forward", "back"])
async def test_leases_of_units(houses: Plan, unbroken: Unbroken, place: str, jump: float) -> None:
    """Two drivers; the clock jumps whenever the second one looks at it, so that it takes over what the first still plays."""
    houses = houses.model_copy(update={"attempts": 2})
    expected = await asyncio.to_thread(unbroken, houses)
    now = 1e9

    def jumping() -> float:
        nonlocal now
        now += jump
        return now

    app = create_app(AlfWorld(embedded_library, DirectEngine()), EnvironmentSettings(expert=True))
    service: Service = app.state.service
    taken_over = asyncio.Event()
    app.add_middleware(StepsWait, until=taken_over)
    async with live(app) as url:
        shared = houses.into(place).through(url)
        with TrajectoryStore(place) as store:
            first = asyncio.create_task(carry_out(shared, lambda: now))
            await until(lambda: service.tally.sessions_created == houses.concurrency)
            second = asyncio.create_task(carry_out(shared, jumping))
            await until(lambda: service.tally.sessions_created > houses.concurrency)
            taken_over.set()
            done = await asyncio.gather(first, second)
            assert service.tally.sessions_created > 24, "no lease was lost"
            assert sum(one.finished for one in done) == 24, "each was handed in once"
            assert_same_run(store, expected)


class StepsWait:
    """Keeps every step of every session waiting until an event is set, so that what is played stays unfinished."""

    def __init__(self, app: ASGIApp, until: asyncio.Event) -> None:
        self._app, self._until = app, until

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].endswith("/steps"):
            await self._until.wait()
        await self._app(scope, receive, send)
