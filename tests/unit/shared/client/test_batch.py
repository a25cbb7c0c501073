from __future__ import annotations

import asyncio

import pytest

from shared.client import EnvironmentClient, RemoteEpisode
from shared.errors import RestepError
from shared.protocol import StepResult
from tests.support.cellar import Cellar
from tests.support.proxy import Fate, Proxy
from tests.unit.shared.client.conftest import QUICK, Serve


async def opened(client: EnvironmentClient, number: int) -> list[RemoteEpisode]:
    return list(await asyncio.gather(*(client.open("cellar/2", seed=seed) for seed in range(number))))


async def test_a_batch_is_as_many_steps(client: EnvironmentClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.client.batch.BATCH", 3)
    together, apart = await opened(client, 8), await opened(client, 8)
    for action in ("go east", "nonsense", "go east", "take key"):
        batched = await client.step_batch([(episode, action) for episode in together])
        assert batched == [await episode.step(action) for episode in apart]
    assert [episode.steps for episode in together] == [episode.steps for episode in apart]
    assert await client.step_batch([]) == []


async def test_each_step_has_its_own_outcome(client: EnvironmentClient) -> None:
    over, long, fine, closed = await opened(client, 4)
    await over.step("drink")
    await closed.close()
    answers = await client.step_batch([(over, "wait"), (long, "x" * 5000), (fine, "go east"), (closed, "wait")])
    codes = [answer.code if isinstance(answer, RestepError) else None for answer in answers]
    assert codes == ["episode_over", "action_too_large", None, "session_gone"]
    assert [len(episode.steps) for episode in (over, long, fine, closed)] == [1, 0, 1, 0]
    with pytest.raises(RestepError) as caught:
        await client.step_batch([(fine, "wait"), (fine, "wait")])
    assert caught.value.code == "invalid_request"


async def test_a_body_too_large_for_one_request_is_split(client: EnvironmentClient) -> None:
    episodes = await opened(client, 90)
    answers = await client.step_batch([(episode, "ä" * 4096) for episode in episodes[:2]])
    assert all(isinstance(answer, StepResult) and not answer.valid for answer in answers)
    answers = await client.step_batch([(episode, "☃" * 4096) for episode in episodes])
    assert all(isinstance(answer, StepResult) and not answer.valid for answer in answers)


async def test_lost_sessions_are_replayed_within_a_batch(serve: Serve) -> None:
    async with (
        serve() as one,
        serve(of=Cellar()) as two,
        Proxy(one) as proxy,
        EnvironmentClient(proxy.url, retry=QUICK) as client,
    ):
        moved, stayed = await opened(client, 4), await opened(client, 4)
        for action in ("go east", "go east"):
            await client.step_batch([(episode, action) for episode in (*moved, *stayed)])
        expected = await client.step_batch([(episode, "take key") for episode in stayed])
        proxy.target = two
        assert await client.step_batch([(episode, "take key") for episode in moved]) == expected


async def test_a_batch_that_reached_another_server_costs_no_replay(serve: Serve, cellar: Cellar) -> None:
    async with (
        serve() as one,
        serve(of=Cellar()) as two,
        Proxy(one) as gateway,
        EnvironmentClient(gateway.url, retry=QUICK) as client,
    ):
        gateway.batches = two
        episodes = await opened(client, 3)
        ids = [episode.session_id for episode in episodes]
        for action in ("go east", "go east"):
            answers = await client.step_batch([(episode, action) for episode in episodes])
            assert all(isinstance(answer, StepResult) for answer in answers)
        assert [episode.session_id for episode in episodes] == ids
        assert cellar.executed == ["go east"] * 6


async def test_a_full_queue_is_waited_for(serve: Serve, cellar: Cellar) -> None:
    async with serve(queue=2) as url, EnvironmentClient(url, retry=QUICK) as client:
        episodes = await opened(client, 2) + await opened(client, 2)
        answers = await client.step_batch([(episode, "go east") for episode in episodes])
        assert all(isinstance(answer, StepResult) for answer in answers)
        assert cellar.executed == ["go east"] * 4


async def test_batches_over_the_same_episodes_do_not_wait_for_each_other(client: EnvironmentClient) -> None:
    episodes = await opened(client, 6)
    forth = [(episode, "wait") for episode in episodes]
    await asyncio.gather(*(client.step_batch(forth if turn % 2 else forth[::-1]) for turn in range(6)))
    assert [len(episode.steps) for episode in episodes] == [6] * 6


async def test_a_lossy_connection_changes_nothing(serve: Serve, cellar: Cellar) -> None:
    async with serve() as url, Proxy(url) as proxy, EnvironmentClient(proxy.url, retry=QUICK) as client:
        episodes = await opened(client, 5)
        fates: list[Fate] = ["cut before", "cut after", "through"]
        proxy.fates = iter(fates * 10)
        for action in ("go east", "go east", "take key"):
            answers = await client.step_batch([(episode, action) for episode in episodes])
            assert all(isinstance(answer, StepResult) for answer in answers)
        assert {episode.score for episode in episodes} == {0.5}
        assert len(cellar.executed) == 15
