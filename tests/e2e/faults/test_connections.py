"""Connections that break, clients that stop, and a server that has no room."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from services.envserver.app import create_app
from services.envserver.service import Service
from shared.client import EnvironmentClient
from shared.settings import EnvironmentSettings
from shared.store import TrajectoryStore
from tests.e2e.faults.conftest import Unbroken
from tests.support.corridor import CorridorWorld
from tests.support.corridor_model import corridor_model
from tests.support.driver import Driver
from tests.support.live import live
from tests.support.model_server import model_server
from tests.support.mortal import Mortal
from tests.support.proxy import CUTS, EveryCut, Fate, Proxy
from tests.support.run_plan import Plan, carry_out
from tests.support.same_run import assert_same_run
from tests.support.taught import collect_taught
from tests.support.waiting import until_true
from trainer.teacher.ledger import TEACHER, Ledger

pytestmark = pytest.mark.slow

OF_ENVIRONMENT = {
    "GET /v1/environment",
    "GET /v1/tasks",
    "PUT /v1/sessions/ID",
    "POST /v1/sessions/ID/steps",
    "POST /v1/sessions/ID/fork",
    "GET /v1/sessions/ID/expert",
    "DELETE /v1/sessions/ID",
}
OF_AGENT = {"GET /v1/agent", "POST /v1/checkpoint", "POST /v1/react/steps"}


async def test_every_kind_of_request_of_a_collection_is_cut(lessons: Plan, unbroken: Unbroken) -> None:
    """Before the server sees it, in its middle, before its answer and in the middle of that."""
    expected = await asyncio.to_thread(unbroken, lessons)
    of_environment, of_agent = EveryCut(), EveryCut()
    async with Proxy(lessons.environment, of_environment) as environment, Proxy(str(lessons.agent), of_agent) as agent:
        await carry_out(lessons.through(environment.url, agent.url))
    assert (set(of_environment.dealt), set(of_agent.dealt)) == (OF_ENVIRONMENT, OF_AGENT)
    assert all(tuple(dealt) == CUTS for dealt in (*of_environment.dealt.values(), *of_agent.dealt.values()))
    with TrajectoryStore(lessons.store) as store:
        assert_same_run(store, expected)


async def test_the_questions_of_a_teacher_are_cut(tmp_path: Path) -> None:
    """Each is asked again, and the books say which were not answered; an answer that arrived is never asked for again."""
    fates: list[Fate] = [fate for cut in CUTS for fate in (cut, "through")]
    world = create_app(CorridorWorld(), EnvironmentSettings(expert=True))
    async with live(world) as server, model_server(corridor_model) as model:
        await collect_taught(server, model.url, str(tmp_path / "whole.db"))
        async with Proxy(model.url.removesuffix("/v1"), fates) as proxy:
            await collect_taught(server, f"{proxy.url}/v1", str(tmp_path / "run.db"))
    assert proxy.cuts == len(CUTS)
    with TrajectoryStore(tmp_path / "run.db") as store, TrajectoryStore(tmp_path / "whole.db") as whole:
        assert_same_run(store, whole)
        spent, expected = (Ledger(one.books(TEACHER)).spending() for one in (store, whole))
    unanswered = {"requests": expected.requests + len(CUTS), "unanswered": len(CUTS)}
    assert spent == expected.model_copy(update=unanswered)


async def test_clients_that_stop_in_the_middle(alfworld: Mortal, houses: Plan, unbroken: Unbroken) -> None:
    """Half a request sent, a byte at a time, or an answer not read: others are served as if they were not there."""
    expected = await asyncio.to_thread(unbroken, houses)
    body = b'{"seq": 1, "action": "look"}'
    head = f"POST /v1/sessions/none/steps HTTP/1.1\r\nHost: server\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    page = b"GET /v1/tasks?limit=1000 HTTP/1.1\r\nHost: server\r\n\r\n"
    async with AsyncExitStack() as stack:
        for sent in (head[:20], head + body[:9], 50 * page):
            for _ in range(10):
                _, writer = await asyncio.open_connection("127.0.0.1", alfworld.running.port, limit=1)
                stack.callback(writer.transport.abort)
                writer.write(sent)
        dripping = asyncio.create_task(_drip(alfworld.running.port, head + body))
        await carry_out(houses)
        assert not dripping.done()
        dripping.cancel()
    with TrajectoryStore(houses.store) as store:
        assert_same_run(store, expected)


async def _drip(port: int, request: bytes) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    while True:
        for number in range(len(request) - 1):
            writer.write(request[number : number + 1])
            await asyncio.sleep(0.2)
        await asyncio.sleep(60)


async def test_a_request_that_never_gets_complete_holds_no_session() -> None:
    now = 0.0
    app = create_app(CorridorWorld(), EnvironmentSettings(lease_seconds=100), clock=lambda: now)
    service: Service = app.state.service
    async with live(app) as url, EnvironmentClient(url) as client:
        episode = await client.open("lamp/3")
        _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        head = f"POST /v1/sessions/{episode.session_id}/steps HTTP/1.1\r\nHost: server\r\nContent-Length: 40\r\n\r\n"
        writer.write(head.encode() + b'{"seq": 1, ')
        await asyncio.sleep(0.2)  # the server, in this very loop, has read it by then
        now += 100
        assert service.sessions.reap() == 1
        writer.close()
        assert (await episode.step("go to room 1")).seq == 1, "whoever owns it goes on"


async def test_a_full_agent(agent: Mortal, lessons: Plan, unbroken: Unbroken) -> None:
    expected = await asyncio.to_thread(unbroken, lessons)
    await carry_out(lessons)
    async with httpx.AsyncClient(base_url=agent.url) as client:
        assert 'status="429"' in (await client.get("/metrics")).text
    with TrajectoryStore(lessons.store) as store:
        assert_same_run(store, expected)


@pytest.fixture(scope="module")
def narrow() -> Iterator[Mortal]:
    """Two sessions and one step at a time, and short leases."""
    settings = {"RESTEP_QUEUE": "1", "RESTEP_LEASE_SECONDS": "4"}
    with Mortal("alfworld", "--expert", "--capacity", "2", settings=settings) as server:
        yield server


async def test_a_full_server(narrow: Mortal, houses: Plan, unbroken: Unbroken, tmp_path: Path) -> None:
    """More clients than places: each comes back when it is told to. Then a driver dies and its sessions hold all places."""
    expected = await asyncio.to_thread(unbroken, houses)
    crowded = houses.through(narrow.url).model_copy(update={"concurrency": 6})
    await carry_out(crowded)
    with TrajectoryStore(crowded.store) as store:
        assert_same_run(store, expected)
    async with httpx.AsyncClient(base_url=narrow.url) as client:
        assert 'status="429"' in (await client.get("/metrics")).text

    impatient = crowded.into(tmp_path / "again.db").model_copy(update={"patience": 1.0})
    async with Driver(impatient.store, impatient.command) as driver, EnvironmentClient(narrow.url) as client:
        before = await driver.reached(1)

        async def full() -> bool:
            return (await client.info()).sessions == 2

        await until_true(full)
        await driver.kill()
        await driver.start()
        code, out, errors = await driver.ended()
        assert (code, out) == (0, "12\n"), errors
        assert_same_run(driver.store, expected, before)
