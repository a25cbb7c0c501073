"""Every route of every service is cut at every point, by clients of others, while a collection of our own goes on.

What our clients ask is cut in :mod:`tests.e2e.faults.test_connections` as well, under the collection itself. A route that
is new fails here until somebody walks it: the kinds are those that the applications have, not those of a list.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from websockets.asyncio.client import connect

from services.envserver.app import create_app
from services.envserver.service import Service
from shared.settings import EnvironmentSettings
from shared.store import TrajectoryStore
from tests.e2e.faults.conftest import Unbroken
from tests.support import walks
from tests.support.cellar import Cellar
from tests.support.corridor import CorridorWorld
from tests.support.live import live
from tests.support.mortal import Mortal
from tests.support.proxy import CUTS, EveryCut, Fate, Proxy, SocketProxy
from tests.support.routes import APPLICATIONS, Routes
from tests.support.run_plan import Plan, carry_out
from tests.support.runs import make_run
from tests.support.same_run import assert_same_run
from tests.support.waiting import until, until_true
from tests.support.walker import Walker
from trainer.serve import SERVICES
from trainer.tasks import TaskSelection

pytestmark = pytest.mark.slow

STEP = "POST /agentgym/step"
TOKEN = "secret-of-the-viewer"


@pytest.fixture(scope="module")
def shop() -> Generator[Mortal]:
    """The server with the most routes; nobody else holds a session there."""
    with Mortal("webshop", "--expert") as server:
        yield server


@pytest.fixture
def purchases(shop: Mortal, tmp_path: Path) -> Plan:
    """Golden episodes in WebShop: a moment each."""
    return Plan(store=str(tmp_path / "run.db"), environment=shop.url, tasks=TaskSelection(split="train", limit=12))


class Meanwhile:
    """Cuts every kind of request of others; whenever a new kind comes, the collection may make one request of its own."""

    def __init__(self) -> None:
        self.cuts = EveryCut()
        self._turns = asyncio.Semaphore(0)

    def fates(self, kind: str) -> Fate:
        """What becomes of a request of the others."""
        if kind not in self.cuts.dealt:
            self._turns.release()
        return self.cuts(kind)

    @asynccontextmanager
    async def collecting(self, plan: Plan, expected: TrajectoryStore) -> AsyncGenerator[None]:
        """The collection is in its middle for the time of the block, then goes on to its end: as the unbroken one.

        Its turns are those with the agent, where it has one.
        """
        async with Proxy(plan.agent or plan.environment, pace=self._turns.acquire) as way:
            paced = plan.through(plan.environment, way.url) if plan.agent else plan.through(way.url)
            collecting = asyncio.create_task(carry_out(paced))
            yield
            assert not collecting.done(), "nothing was collected meanwhile"
            for _ in range(10_000):
                self._turns.release()
            await collecting
        with TrajectoryStore(plan.store) as store:
            assert_same_run(store, expected)

    def assert_dealt(self, kinds: set[str]) -> None:
        """Each of these kinds, and no other, was cut in every way."""
        assert set(self.cuts.dealt) == kinds
        assert all(tuple(dealt) == CUTS for dealt in self.cuts.dealt.values())


async def nothing_left(server: Mortal, *gauges: str) -> None:
    """What is begun there and never ended: no connection, and none of what these gauges count."""

    async def empty() -> bool:
        async with httpx.AsyncClient(base_url=server.url) as client:
            shown = (await client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})).text
        return all(float(re.findall(rf"^{gauge} (\S+)$", shown, re.MULTILINE)[0]) == 0 for gauge in gauges)

    await until_true(empty)
    process = psutil.Process(server.pid)
    await until(lambda: all(one.status == psutil.CONN_LISTEN for one in process.net_connections("tcp")))


def test_no_service_is_forgotten() -> None:
    """And the benchmarks offer nothing that the shop's server, which is walked through, does not."""
    assert APPLICATIONS.keys() == SERVICES.keys()
    assert Routes("alfworld").every | Routes("sciworld").every <= Routes("webshop").every


async def test_an_environment_server(shop: Mortal, purchases: Plan, unbroken: Unbroken) -> None:
    expected = await asyncio.to_thread(unbroken, purchases)
    routes, meanwhile = Routes("webshop"), Meanwhile()
    whole = await _shopping(shop.url, shop.url, "client-whole", routes)
    played: list[Any] = whole[1]

    def cut_step(step: int, seen: Mapping[str, Any]) -> None:
        """A step that was cut off was executed once, or not at all, as the moment of the cut has it."""
        executed = {"cut before": [0], "cut inside": [0], "cut at work": [0, 1]}.get(meanwhile.cuts.dealt[STEP][-1], [1])
        assert seen in [walks.situation(played[step + more]) for more in executed]

    async with (
        meanwhile.collecting(purchases, expected),
        Proxy(shop.url, meanwhile.fates, kind_of=routes.kind_of) as proxy,
        SocketProxy(shop.url, meanwhile.fates, kind_of=routes.kind_of, message_of=routes.message_of) as socket,
    ):
        cut = await _shopping(proxy.url, socket.url, "client-cut", routes, cut_step)
    for found, wanted in zip(cut, whole, strict=True):
        assert found == wanted
    meanwhile.assert_dealt(routes.every)
    await nothing_left(shop, "restep_sessions", "restep_pending_steps")


async def _shopping(
    url: str, socket: str, name: str, routes: Routes, cut_step: walks.CutStep | None = None
) -> tuple[list[Any], list[Any], list[Any]]:
    """What our routes, AgentGym's and OpenEnv's answer."""

    def unexpected(step: int, seen: Mapping[str, Any]) -> None:
        raise AssertionError(f"step {step} was cut: {seen}")

    async with Walker(url, name) as walker, Walker(url, name) as gymnast:
        await walker.ask_plain(
            routes.every - {"GET /agentgym/detail", "GET /agentgym/observation"},
            ("/metrics", "/readyz", "/v1/environment", "/v1/sessions"),
        )
        await walks.documents(walker)
        await walks.native(walker, routes)
        actions = ["search[tea]", "click[next >]", "click[back to search]", "search[table lamp]"]
        answers = await walks.agentgym(gymnast, actions, cut_step or unexpected)
        return walker.told, answers, await walks.openenv(socket, actions)


async def test_a_session_that_nobody_can_name_ends_by_its_lease() -> None:
    """The answer with the id that the server has drawn is lost."""
    now = 0.0
    app = create_app(CorridorWorld(), EnvironmentSettings(lease_seconds=100), clock=lambda: now)
    service: Service = app.state.service
    async with live(app) as url, Proxy(url, ["cut after"]) as proxy, httpx.AsyncClient(base_url=proxy.url) as client:
        with pytest.raises(httpx.TransportError):
            await client.post("/v1/sessions", json={"task_id": "lamp/3"})
        assert len(service.sessions) == 1
        now += 100
        assert service.sessions.reap() == 1


async def test_a_socket_that_goes_while_the_engine_is_at_work() -> None:
    """The step is carried out, once, and then the session is given back."""
    cellar = Cellar()
    cellar.gate = asyncio.Event()
    app = create_app(cellar, EnvironmentSettings())
    service: Service = app.state.service
    async with live(app) as url:
        socket = await connect(f"{url}/ws".replace("http", "ws", 1), proxy=None)
        await socket.send('{"type": "reset", "data": {"task_id": "cellar/1"}}')
        await socket.recv()
        await socket.send('{"type": "step", "data": {"action": "go east"}}')
        await until(lambda: cellar.running == 1)
        socket.transport.abort()
        await socket.wait_closed()
        assert len(service.sessions) == 1
        cellar.gate.set()
        await until(lambda: len(service.sessions) == service.work.pending == cellar.open_episodes == 0)
        assert cellar.executed == ["go east"]


async def test_an_agent(agent: Mortal, lessons: Plan, unbroken: Unbroken) -> None:
    expected = await asyncio.to_thread(unbroken, lessons)
    routes, meanwhile = Routes("agent"), Meanwhile()
    async with httpx.AsyncClient(base_url=agent.url, timeout=60) as client:
        model: str = (await client.post("/v1/checkpoint", json={"path": lessons.checkpoint})).json()["model"]

    async def walk(url: str, name: str) -> list[Any]:
        async with Walker(url, name) as walker:
            await walks.questions(walker, model, lessons.checkpoint)
            await walker.ask_plain(routes.every, ("/metrics", "/v1/agent"))
            await walks.documents(walker)
            return walker.told

    whole = await walk(agent.url, "client-whole")
    alone = lessons.model_copy(update={"concurrency": 1})
    async with (
        meanwhile.collecting(alone, expected),
        Proxy(agent.url, meanwhile.fates, kind_of=routes.kind_of) as proxy,
    ):
        assert await walk(proxy.url, "client-cut") == whole
    meanwhile.assert_dealt(routes.every)
    await nothing_left(agent, "restep_agent_requests_in_flight")


async def test_a_viewer(houses: Plan, unbroken: Unbroken, tmp_path: Path) -> None:
    """It shows the run that is being collected."""
    expected = await asyncio.to_thread(unbroken, houses)
    routes, meanwhile = Routes("viewer"), Meanwhile()
    runs, token = tmp_path / "runs", tmp_path / "token"
    make_run(runs)
    (runs / "live").mkdir()
    token.write_text(TOKEN)
    growing = houses.into(runs / "live" / "trajectories.db")
    TrajectoryStore(growing.store).close()

    async def walk(url: str, name: str) -> list[Any]:
        async with Walker(url, name) as walker:
            await walks.pages(walker, TOKEN, "live")
            await walker.ask_plain(routes.every, ("/", "/api/runs", "/metrics", "/readyz"))
            await walker.ask("POST", "/logout")
            return walker.told

    with Mortal("viewer", "--runs", str(runs), "--token-file", str(token)) as viewer:
        async with meanwhile.collecting(growing, expected), Proxy(viewer.url, meanwhile.fates, kind_of=routes.kind_of) as proxy:
            whole = await walk(viewer.url, "client-whole")
            assert await walk(proxy.url, "client-cut") == whole
        meanwhile.assert_dealt(routes.every)
        await nothing_left(viewer)
