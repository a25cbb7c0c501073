from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from shared.client import EnvironmentClient, RemoteEpisode
from shared.environment import EngineStep
from shared.errors import RestepError
from shared.protocol import StepResult
from tests.support.cellar import Cellar, CellarEpisode
from tests.support.process import CellarProcess
from tests.support.proxy import Fate, Proxy
from tests.support.waiting import until
from tests.unit.shared.client.conftest import QUICK, Serve

# The key of task 2 lies in room 2.
WIN = ["go east", "look", "go east", "take key", "go west", "go west", "open door"]


async def play(episode: RemoteEpisode, actions: Sequence[str]) -> list[StepResult]:
    return [await episode.step(action) for action in actions]


async def reference(client: EnvironmentClient, actions: Sequence[str] = WIN) -> list[StepResult]:
    async with await client.open("cellar/2", seed=5) as episode:
        return await play(episode, actions)


async def test_an_episode_from_start_to_end(client: EnvironmentClient) -> None:
    async with await client.open("cellar/2", seed=5, include=["admissible_actions"]) as episode:
        assert episode.view.observation.startswith("Room 0.")
        assert "drink" in (episode.view.admissible_actions or [])
        assert (episode.last, episode.over, episode.score) == (None, False, 0.0)
        results = await play(episode, WIN)
        assert episode.steps == results
        assert [result.seq for result in results] == list(range(1, 8))
        assert [result.valid for result in results] == [True, False, True, True, True, True, True]
        assert [result.reward for result in results] == [0.0, 0.0, 0.0, 0.5, 0.0, 0.0, 0.5]
        assert "take key" in (results[2].admissible_actions or [])
        assert (episode.over, episode.score, results[-1].success) == (True, 1.0, True)
        with pytest.raises(RestepError) as caught:
            await episode.step("wait")
        assert caught.value.code == "episode_over"
        assert episode.steps == results


async def test_the_limit_truncates(client: EnvironmentClient) -> None:
    async with await client.open("cellar/2", max_steps=2) as episode:
        first, second = await play(episode, ["wait", "wait"])
        assert (first.truncated, second.truncated, second.done, episode.over) == (False, True, False, True)


async def test_the_expert_advises(client: EnvironmentClient) -> None:
    async with await client.open("cellar/2") as episode:
        advice = await episode.expert()
        assert advice.verdict is None
        await episode.step("go west")
        advice = await episode.expert()
        assert advice.verdict is not None
        assert advice.verdict.decision == "needless"
        assert (await play(episode, advice.actions))[-1].success


async def test_a_disabled_expert_says_so(serve: Serve) -> None:
    async with serve() as url, EnvironmentClient(url, retry=QUICK) as client, await client.open("cellar/2") as episode:
        with pytest.raises(RestepError) as caught:
            await episode.expert()
        assert caught.value.code == "expert_disabled"


async def test_a_fork_goes_its_own_way(client: EnvironmentClient) -> None:
    async with await client.open("cellar/2", seed=5) as episode:
        await play(episode, WIN[:3])
        async with await episode.fork() as twin, await episode.fork(1) as early:
            assert (twin.steps, early.steps) == (episode.steps, episode.steps[:1])
            assert (await twin.step("drink")).done
            assert await play(early, WIN[1:]) == (await reference(client))[1:]
            assert not episode.over
        with pytest.raises(RestepError) as caught:
            await episode.fork(9)
        assert caught.value.code == "step_gap"


async def test_closing_is_final_and_idempotent(client: EnvironmentClient, cellar: Cellar) -> None:
    episode = await client.open("cellar/2")
    await episode.close()
    await episode.close()
    assert cellar.open_episodes == 0
    with pytest.raises(RestepError) as caught:
        await episode.step("wait")
    assert caught.value.code == "session_gone"
    assert cellar.resets == 1


async def test_steps_asked_for_at_once_are_taken_in_turn(client: EnvironmentClient) -> None:
    async with await client.open("cellar/2", seed=5) as episode:
        results = await asyncio.gather(*(episode.step(action) for action in WIN))
        assert results == await reference(client)


# --- servers and connections that die ----------------------------------------------------------------------------


async def test_a_lossy_connection_changes_nothing(serve: Serve, cellar: Cellar) -> None:
    chance = random.Random(7)
    fates: list[Fate] = chance.choices(["through", "cut before", "cut after"], weights=[2, 1, 1], k=400)
    async with serve(expert=True) as url:
        async with EnvironmentClient(url, retry=QUICK) as direct:
            expected = await reference(direct)
        cellar.executed.clear()
        async with Proxy(url, fates) as proxy, EnvironmentClient(proxy.url, retry=QUICK) as client:
            for _ in range(5):
                async with await client.open("cellar/2", seed=5) as episode:
                    assert await play(episode, WIN) == expected
                    assert await (await episode.fork(3)).step("take key") == expected[3]
        assert proxy.cuts > 30
    # Every step was executed exactly once; the fork replayed three and took one.
    assert cellar.executed == [*WIN, *WIN[:3], WIN[3]] * 5


async def test_a_killed_server_costs_nothing() -> None:
    with CellarProcess(expert=True) as server:
        async with EnvironmentClient(server.url, retry=QUICK) as client:
            expected = await reference(client)
            async with await client.open("cellar/2", seed=5) as episode:
                session_id = episode.session_id
                assert await play(episode, WIN[:3]) == expected[:3]
                server.kill()
                stepping = asyncio.create_task(episode.step(WIN[3]))
                await asyncio.to_thread(server.start)
                assert await stepping == expected[3]
                assert episode.session_id != session_id
                server.kill()
                await asyncio.to_thread(server.start)
                assert (await episode.expert()).actions == WIN[4:]
                server.kill()
                await asyncio.to_thread(server.start)
                async with await episode.fork(2) as fork:
                    assert await play(fork, WIN[2:]) == expected[2:]
                assert await play(episode, WIN[4:]) == expected[4:]


async def test_play_goes_on_at_another_replica(serve: Serve) -> None:
    async with (
        serve() as one,
        serve(of=Cellar()) as two,
        Proxy(one) as proxy,
        EnvironmentClient(proxy.url, retry=QUICK) as client,
    ):
        expected = await reference(client)
        async with await client.open("cellar/2", seed=5) as episode:
            for result, action in zip(expected, WIN, strict=True):
                assert await episode.step(action) == result
                proxy.target = two if proxy.target == one else one


async def test_a_replay_that_differs_is_never_silent(serve: Serve) -> None:
    changed = Cellar()
    async with (
        serve() as one,
        serve(of=changed) as two,
        Proxy(one) as proxy,
        EnvironmentClient(proxy.url, retry=QUICK) as client,
    ):
        async with await client.open("cellar/2") as fresh, await client.open("cellar/2") as played:
            await play(played, WIN[:3])
            proxy.target, changed.salt = two, " Something is different."
            for episode, step in ((fresh, "step 0"), (played, "step 0")):
                with pytest.raises(RestepError, match=step) as caught:
                    await episode.step("wait")
                assert caught.value.code == "replay_diverged"
                assert "cellar/2" in caught.value.detail
        assert changed.open_episodes == 0


async def test_a_replay_that_differs_late_names_the_step(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    changed, original = Cellar(), CellarEpisode.step

    async def stingy(self: CellarEpisode, action: str) -> EngineStep:
        taken = await original(self, action)
        return replace(taken, score=taken.score / 2)

    async with (
        serve() as one,
        serve(of=changed) as two,
        Proxy(one) as proxy,
        EnvironmentClient(proxy.url, retry=QUICK) as client,
        await client.open("cellar/2") as episode,
    ):
        await play(episode, WIN[:4])
        proxy.target = two
        # The same observations, another score: what a changed reward would look like.
        monkeypatch.setattr(CellarEpisode, "step", stingy)
        with pytest.raises(RestepError, match="step 4") as caught:
            await episode.step(WIN[4])
        assert caught.value.code == "replay_diverged"
        assert len(episode.steps) == 4
        assert changed.open_episodes == 0


async def test_an_expired_lease_is_replayed(serve: Serve, cellar: Cellar) -> None:
    async with (
        serve(lease_seconds=0.5) as url,
        EnvironmentClient(url, retry=QUICK) as client,
        await client.open("cellar/2", seed=5) as episode,
    ):
        await play(episode, WIN[:3])
        await until(lambda: cellar.open_episodes == 0)
        assert (await episode.step("take key")).score == 0.5


async def test_a_session_that_is_always_lost_is_given_up(serve: Serve) -> None:
    # Two replicas that take turns with every request: no session is ever found again.
    async with serve() as one, serve(of=Cellar()) as two:

        class Alternating(Proxy):
            async def _ask(self, request: bytes, *, begun: bool = False) -> bytes:
                self.target = two if self.target == one else one
                return await super()._ask(request, begun=begun)

        async with Alternating(one) as proxy, EnvironmentClient(proxy.url, retry=QUICK) as client:
            episode = await client.open("cellar/2")
            with pytest.raises(RestepError) as caught:
                await play(episode, WIN)
            assert caught.value.code == "session_not_found"
