"""Several servers behind one client: who takes what, and what becomes of an episode whose server is gone."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from services.agent.app import create_app as create_agent
from services.agent.backends.base import Served
from services.agent.settings import AgentSettings
from services.envserver.app import create_app
from shared.client import EnvironmentClient, RemoteEpisode, RetryPolicy
from shared.client.addresses import resolve
from shared.client.agent import AgentClient
from shared.errors import RestepError
from shared.protocol import StepResult
from shared.settings import EnvironmentSettings
from tests.support.cellar import Cellar
from tests.support.live import live
from tests.support.process import CellarProcess
from tests.support.tiny_model import tiny_checkpoint
from tests.support.waiting import until
from tests.unit.shared.client.conftest import Serve

QUICK = RetryPolicy(patience=30.0, first_contact=5.0, base=0.01, cap=0.05, elsewhere=0.2)
WIN = ["go east", "look", "go east", "take key", "go west", "go west", "open door"]


@pytest.fixture(autouse=True)
def _watchful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.client.watch.WATCH_SECONDS", 0.05)


@pytest.fixture
def three() -> Iterator[list[CellarProcess]]:
    with CellarProcess(expert=True) as one, CellarProcess(expert=True) as two, CellarProcess(expert=True) as three:
        yield [one, two, three]


@pytest.fixture
def two() -> Iterator[list[CellarProcess]]:
    with CellarProcess(expert=True) as one, CellarProcess(expert=True) as two:
        yield [one, two]


def client_of(processes: Sequence[CellarProcess], retry: RetryPolicy = QUICK) -> EnvironmentClient:
    return EnvironmentClient([process.url for process in processes], retry=retry)


async def reference(url: str) -> list[StepResult]:
    async with EnvironmentClient(url, retry=QUICK) as client, await client.open("cellar/2", seed=5) as episode:
        return [await episode.step(action) for action in WIN]


def at(episode: RemoteEpisode, process: CellarProcess) -> bool:
    return episode.endpoint.name == process.url


# --- who takes what ----------------------------------------------------------------------------------------------


async def test_new_episodes_go_where_there_is_most_room(serve: Serve) -> None:
    small, large = Cellar(), Cellar()
    async with (
        serve(of=small, capacity=2) as one,
        serve(of=large, capacity=6) as two,
        EnvironmentClient([one, two], retry=QUICK) as client,
    ):
        episodes = await asyncio.gather(*(client.open("cellar/2", seed=seed) for seed in range(8)))
        assert (small.open_episodes, large.open_episodes) == (2, 6)
        ninth = asyncio.create_task(client.open("cellar/2"))
        await asyncio.sleep(0.3)
        assert not ninth.done()
        leaver = next(episode for episode in episodes if episode.endpoint.name == one)
        await leaver.close()
        assert (await ninth).endpoint.name == one


async def test_what_others_have_open_counts(serve: Serve) -> None:
    async with serve(capacity=8) as one, serve(of=Cellar(), capacity=8) as two:
        async with EnvironmentClient(one, retry=QUICK) as other:
            for _ in range(6):
                await other.open("cellar/1")
        async with EnvironmentClient([one, two], retry=QUICK) as client:
            opened = await asyncio.gather(*(client.open("cellar/2") for _ in range(6)))
            assert Counter(episode.endpoint.name for episode in opened) == {two: 6}


async def test_a_full_server_passes_on_at_once(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        serve(capacity=4) as one,
        serve(of=Cellar(), capacity=8) as two,
        EnvironmentClient([two, one], retry=QUICK) as client,
        EnvironmentClient(one, retry=QUICK) as other,
    ):
        monkeypatch.setattr("shared.client.watch.WATCH_SECONDS", 600.0)
        await client.info()
        for _ in range(4):
            await other.open("cellar/1")
        # The client has not heard of it; Retry-After would be five seconds.
        async with asyncio.timeout(4):
            opened = [await client.open("cellar/2") for _ in range(8)]
        assert {episode.endpoint.name for episode in opened} == {two}


async def test_one_server_is_never_watched(serve: Serve, cellar: Cellar) -> None:
    async with serve() as url, EnvironmentClient(url, retry=QUICK) as client, await client.open("cellar/2") as episode:
        await episode.step("wait")
        names = {task.get_name() for task in asyncio.all_tasks()}
        assert not any(name.startswith("restep-watch") for name in names)


async def test_forks_and_batches_stay_with_their_episodes(serve: Serve) -> None:
    async with serve() as one, serve(of=Cellar()) as two, EnvironmentClient([one, two], retry=QUICK) as client:
        expected = await reference(one)
        episodes = await asyncio.gather(*(client.open("cellar/2", seed=5) for _ in range(6)))
        assert Counter(episode.endpoint.name for episode in episodes) == {one: 3, two: 3}
        for action, result in zip(WIN[:3], expected, strict=False):
            assert await client.step_batch([(episode, action) for episode in episodes]) == [result] * 6
        for episode in episodes:
            async with await episode.fork(2) as fork:
                assert fork.endpoint is episode.endpoint
                assert await fork.step(WIN[2]) == expected[2]
        assert [await episode.step(WIN[3]) for episode in episodes] == [expected[3]] * 6


# --- servers that die --------------------------------------------------------------------------------------------


async def test_episodes_of_a_killed_server_go_on_elsewhere(three: list[CellarProcess]) -> None:
    expected = await reference(three[0].url)
    async with client_of(three) as client:
        episodes = await asyncio.gather(*(client.open("cellar/2", seed=5) for _ in range(9)))
        assert [sum(at(episode, server) for episode in episodes) for server in three] == [3, 3, 3]
        for action in WIN[:3]:
            await asyncio.gather(*(episode.step(action) for episode in episodes))
        three[1].kill()
        moved = [episode for episode in episodes if at(episode, three[1])]
        assert (await moved[0].expert()).actions == WIN[3:]
        async with await moved[1].fork(2) as fork:
            assert await fork.step(WIN[2]) == expected[2]
        answers = await client.step_batch([(episode, WIN[3]) for episode in episodes])
        assert answers == [expected[3]] * 9
        assert not any(at(episode, three[1]) for episode in episodes)
        for number, action in enumerate(WIN[4:], 4):
            assert await asyncio.gather(*(episode.step(action) for episode in episodes)) == [expected[number]] * 9
        # It comes back, and is used again.
        await asyncio.to_thread(three[1].start)
        await until(lambda: any(_back(client, three[1])))
        assert at(await client.open("cellar/1"), three[1])


def _back(client: EnvironmentClient, process: CellarProcess) -> Iterator[bool]:
    return (one.usable and one.name == process.url for one in client.servers)


async def test_a_server_that_hangs_is_left(two: list[CellarProcess], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.client.watch.PROBE_SECONDS", 0.5)
    monkeypatch.setattr("shared.client.environment.PROBE_SECONDS", 0.5)
    async with client_of(two) as client:
        episodes = await asyncio.gather(*(client.open("cellar/2", seed=5) for _ in range(2)))
        stuck = next(episode for episode in episodes if at(episode, two[0]))
        await stuck.step(WIN[0])
        two[0].pause()
        try:
            assert (await stuck.step(WIN[1])).seq == 2
            assert at(stuck, two[1])
        finally:
            two[0].resume()
        # What the episode left there is given back when the server answers again.
        await until(lambda: any(_back(client, two[0])))
        async with EnvironmentClient(two[0].url, retry=QUICK) as direct:
            while (await direct.info()).sessions:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.02)


async def test_a_server_that_is_leaving_is_left(serve: Serve) -> None:
    leaving = create_app(Cellar(), EnvironmentSettings())
    async with live(leaving) as one, serve(of=Cellar()) as two, EnvironmentClient([one, two], retry=QUICK) as client:
        episodes = await asyncio.gather(*(client.open("cellar/2", seed=5) for _ in range(2)))
        assert {episode.endpoint.name for episode in episodes} == {one, two}
        leaving.state.service.work.draining = True
        for action in WIN:
            for episode in episodes:
                await episode.step(action)
        assert {episode.endpoint.name for episode in episodes} == {two}
        assert (await client.open("cellar/1")).endpoint.name == two


async def test_all_servers_may_be_gone_for_a_while(two: list[CellarProcess]) -> None:
    expected = await reference(two[0].url)
    async with client_of(two) as client, await client.open("cellar/2", seed=5) as episode:
        await episode.step(WIN[0])
        for server in two:
            server.kill()
        stepping = asyncio.create_task(episode.step(WIN[1]))
        opening = asyncio.create_task(client.open("cellar/1"))
        await asyncio.sleep(0.5)
        await asyncio.to_thread(two[1].start)
        assert await stepping == expected[1]
        assert at(episode, two[1])
        assert (await opening).view.task.id == "cellar/1"


async def test_nobody_left_is_unreachable_in_the_end(two: list[CellarProcess]) -> None:
    brief = RetryPolicy(patience=0.5, first_contact=0.5, base=0.01, cap=0.05, elsewhere=0.1)
    async with client_of(two, brief) as client, await client.open("cellar/2") as episode:
        for server in two:
            server.kill()
        for call in (episode.step("wait"), client.open("cellar/1"), client.info()):
            with pytest.raises(RestepError) as caught:
                await call
            assert caught.value.code == "unreachable"
    async with client_of(two, brief) as late:
        with pytest.raises(RestepError, match="nobody answers at http") as caught:
            await late.open("cellar/1")
        assert caught.value.code == "unreachable"


async def test_a_server_that_is_down_at_first_is_used_when_it_comes(two: list[CellarProcess]) -> None:
    two[1].kill()
    async with client_of(two) as client:
        first = await asyncio.gather(*(client.open("cellar/1") for _ in range(4)))
        assert not any(at(episode, two[1]) for episode in first)
        await asyncio.to_thread(two[1].start)
        await until(lambda: any(_back(client, two[1])))
        assert at(await client.open("cellar/1"), two[1])


# --- servers that are not the same -------------------------------------------------------------------------------


async def test_other_data_are_refused_by_name(serve: Serve) -> None:
    class Newer(Cellar):
        def info(self):
            return super().info().model_copy(update={"data_version": "another"})

    async with serve() as one, serve(of=Newer()) as two, EnvironmentClient([one, two], retry=QUICK) as client:
        with pytest.raises(RestepError, match=r"data version .*another") as caught:
            await client.open("cellar/1")
        assert caught.value.code == "servers_differ"
        assert one in caught.value.detail
        assert two in caught.value.detail


async def test_a_wrong_token_is_told_as_such(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    async with serve(token_file=tmp_path / "token") as one, serve(of=Cellar(), token_file=tmp_path / "token") as two:
        async with EnvironmentClient([one, two], "guess", retry=QUICK) as client:
            with pytest.raises(RestepError) as caught:
                await client.open("cellar/1")
            assert caught.value.code == "unauthorized"
        async with EnvironmentClient([one, two], "secret", retry=QUICK) as client:
            assert (await client.open("cellar/1")).view.task.id == "cellar/1"


# --- names -------------------------------------------------------------------------------------------------------


class Names:
    """A name service: what a name stands for may change, and it may be out of order (None)."""

    def __init__(self, *addresses: str) -> None:
        self.addresses: list[str] | None = list(addresses)
        self.asked: list[str] = []

    async def resolve(self, host: str) -> list[str]:
        self.asked.append(host)
        if self.addresses is None:
            raise OSError("Temporary failure in name resolution")
        return self.addresses


@asynccontextmanager
async def replicas(*worlds: Cellar) -> AsyncGenerator[tuple[int, list[str]]]:
    """Servers on one port of 127.0.0.1, 127.0.0.2, ...: what a headless service looks like from a client."""
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(live(create_app(worlds[0], EnvironmentSettings(expert=True))))
        port, addresses = urlsplit(first).port or 0, ["127.0.0.1"]
        for number, world in enumerate(worlds[1:], 2):
            app = create_app(world, EnvironmentSettings(expert=True))
            await stack.enter_async_context(live(app, host=f"127.0.0.{number}", port=port))
            addresses.append(f"127.0.0.{number}")
        yield port, addresses


async def test_a_name_stands_for_all_its_addresses_and_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.client.watch.RESOLVE_SECONDS", 0.05)
    worlds = [Cellar(), Cellar(), Cellar()]
    async with replicas(*worlds) as (port, addresses):
        names = Names(*addresses[:2])
        async with EnvironmentClient(f"http://cellar:{port}", retry=QUICK, resolver=names.resolve) as client:
            episodes = await asyncio.gather(*(client.open("cellar/2", seed=5) for _ in range(6)))
            assert [world.open_episodes for world in worlds] == [3, 3, 0]
            names.addresses = addresses
            await until(lambda: len(client.servers) == 3 and all(server.usable for server in client.servers))
            episodes += await asyncio.gather(*(client.open("cellar/2", seed=5) for _ in range(3)))
            assert [world.open_episodes for world in worlds] == [3, 3, 3]
            # One is taken out: what is open there stays, nothing new comes, and it is forgotten when it is gone.
            names.addresses = addresses[1:]
            await until(lambda: any(not server.listed for server in client.servers))
            names.addresses = None
            for episode in episodes:
                await episode.step("go east")
            for _ in range(2):
                assert "127.0.0.1" not in (await client.open("cellar/2")).endpoint.name
            assert set(names.asked) == {"cellar"}


async def test_the_only_server_of_a_name_is_gone_for_a_while(two: list[CellarProcess]) -> None:
    expected = await reference(two[1].url)
    port = urlsplit(two[0].url).port
    async with EnvironmentClient(f"http://cellar:{port}", retry=QUICK, resolver=Names("127.0.0.1").resolve) as client:
        episode = await client.open("cellar/2", seed=5)
        assert await episode.step(WIN[0]) == expected[0]
        two[0].kill()
        step = asyncio.create_task(episode.step(WIN[1]))
        await until(lambda: not any(server.usable for server in client.servers))
        await asyncio.to_thread(two[0].start)
        assert await step == expected[1]


async def test_the_name_reaches_the_server_as_its_host() -> None:
    seen: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with EnvironmentClient(
            f"http://cellar.example:{port}", retry=QUICK, resolver=Names("127.0.0.1").resolve
        ) as client:
            with pytest.raises(RestepError):
                await client.info()
    assert f"host: cellar.example:{port}\r\n".encode() in seen[0].lower()


async def test_a_pod_that_is_replaced_is_found_under_its_new_address() -> None:
    worlds = [Cellar(), Cellar()]
    async with replicas(*worlds) as (port, addresses):
        names = Names("127.0.0.9")
        brief = RetryPolicy(patience=5, first_contact=0.3, base=0.01, cap=0.05, elsewhere=0.1)
        async with EnvironmentClient(f"http://cellar:{port}", retry=brief, resolver=names.resolve) as client:
            with pytest.raises(RestepError, match=r"127\.0\.0\.9") as caught:
                await client.open("cellar/2")
            assert caught.value.code == "unreachable"
            names.addresses = addresses[1:]
            assert (await client.open("cellar/2")).endpoint.name == f"http://cellar:{port} (127.0.0.2)"


async def test_a_name_that_nobody_knows_is_unreachable() -> None:
    names, impatient = Names(), RetryPolicy(first_contact=0.2)
    names.addresses = None
    async with EnvironmentClient("http://no-such-host.invalid:1", retry=impatient, resolver=names.resolve) as client:
        with pytest.raises(RestepError, match="no-such-host") as caught:
            await client.info()
    assert caught.value.code == "unreachable"


async def test_this_machines_resolver_knows_this_machine() -> None:
    assert set(await resolve("localhost")) <= {"127.0.0.1", "::1"}
    with pytest.raises(OSError):
        await resolve("no-such-host.invalid")


# --- agents ------------------------------------------------------------------------------------------------------


async def test_any_of_several_agents_answers_with_the_loaded_checkpoint(tmp_path: Path) -> None:
    plain, other = (str(tiny_checkpoint(tmp_path / name, seed=seed)) for name, seed in (("plain", 0), ("other", 1)))
    apps = [create_agent(AgentSettings(checkpoint=plain, kv_mib=64)) for _ in range(2)]
    async with live(apps[0]) as one, live(apps[1]) as two, AgentClient([one, two], retry=QUICK) as client:
        await client.load(other)
        turns = await asyncio.gather(*(client.act([1, 5, 9]) for _ in range(8)))
        assert len({(turn.model, *turn.token_ids) for turn in turns}) == 1
        assert all(app.state.service.turns for app in apps)
        # One is started again, with what its command line says.
        await apps[1].state.service.load(plain)
        again = await asyncio.gather(*(client.act([1, 5, 9]) for _ in range(8)))
        assert {turn.model for turn in again} == {turns[0].model}


async def test_a_path_that_is_another_checkpoint_elsewhere_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, other = (str(tiny_checkpoint(tmp_path / name, seed=seed)) for name, seed in (("plain", 0), ("other", 1)))
    apps = [create_agent(AgentSettings(checkpoint=plain, kv_mib=64)) for _ in range(2)]
    async with live(apps[0]) as one, live(apps[1]) as two, AgentClient([one, two], retry=QUICK) as client:
        backend = apps[1].state.service.backend
        load = backend.load

        async def elsewhere(source: str) -> Served:
            del source
            return await load(other)

        monkeypatch.setattr(backend, "load", elsewhere)
        with pytest.raises(RestepError, match=r"plain@.*other@|other@.*plain@") as caught:
            await client.load(plain)
        assert caught.value.code == "servers_differ"
