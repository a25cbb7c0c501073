from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.client import SyncEnvironmentClient
from shared.errors import RestepError
from tests.support.cellar import Cellar
from tests.support.process import CellarProcess

WIN = ["go east", "go east", "take key", "go west", "go west", "open door"]


def test_everything_blocks_and_works(server: CellarProcess) -> None:
    with SyncEnvironmentClient(server.url) as client:
        assert client.info().name == "cellar"
        assert client.tasks("test") == list(Cellar().tasks("test"))
        with client.open("cellar/2", include=["admissible_actions"]) as episode, client.open("cellar/2") as other:
            assert episode.view.admissible_actions
            assert episode.expert().actions == WIN
            episode.step(WIN[0])
            with episode.fork() as fork:
                assert fork.steps == episode.steps
                answers = client.step_batch([(fork, "drink"), (episode, WIN[1]), (other, "wait")])
                assert not any(isinstance(answer, RestepError) for answer in answers)
                assert (fork.over, episode.over) == (True, False)
            for action in WIN[2:]:
                episode.step(action)
            assert (episode.score, episode.over) == (1.0, True)
            with pytest.raises(RestepError) as caught:
                episode.step("wait")
            assert caught.value.code == "episode_over"
        assert client.info().sessions == 0


def test_many_begin_together_or_not_at_all(server: CellarProcess) -> None:
    with SyncEnvironmentClient(server.url) as client:
        episodes = client.open_many([("cellar/1", 5), ("cellar/2", 6)], max_steps=3)
        assert [(e.view.task.id, e.view.seed, e.view.max_steps) for e in episodes] == [("cellar/1", 5, 3), ("cellar/2", 6, 3)]
        for episode in episodes:
            episode.close()
        with pytest.raises(RestepError) as caught:
            client.open_many([("cellar/1", 0), ("cellar/99", 0), ("cellar/2", 0)])
        assert caught.value.code == "unknown_task"
        assert client.info().sessions == 0


def test_threads_share_a_client(server: CellarProcess) -> None:
    def play(seed: int) -> float:
        with client.open("cellar/2", seed=seed) as episode:
            return [episode.step(action) for action in WIN][-1].score

    with SyncEnvironmentClient(server.url) as client, ThreadPoolExecutor(8) as threads:
        assert list(threads.map(play, range(16))) == [1.0] * 16


def test_closing_ends_the_thread(server: CellarProcess) -> None:
    before = threading.active_count()
    client = SyncEnvironmentClient(server.url)
    client.info()
    assert threading.active_count() == before + 1
    client.close()
    client.close()
    assert threading.active_count() == before


def test_a_wrong_address_leaves_no_thread() -> None:
    before = threading.active_count()
    with pytest.raises(RestepError):
        SyncEnvironmentClient("nonsense")
    assert threading.active_count() == before
