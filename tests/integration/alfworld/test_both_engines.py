"""Our engine against the benchmark's own: alike in every text, list of commands and outcome, on real and on our games."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import psutil
import pytest
import pytest_asyncio

from services.alfworld.environment import AlfWorld
from services.alfworld.library import embedded_library, open_library
from services.alfworld.original import TextWorldEngine
from services.alfworld.source import GameText
from shared.environment import EpisodeKey
from shared.errors import EngineLost, RestepError
from tests.support.alfworld_engines import compare_games, spread, textworld_python
from tests.support.server import ServerProcess

PYTHON = textworld_python()

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(PYTHON is None, reason="TextWorld is not installed (make textworld)"),
]


@pytest_asyncio.fixture
async def engine() -> AsyncIterator[TextWorldEngine]:
    engine = TextWorldEngine(1, PYTHON, games_a_worker=2)
    await engine.start()
    yield engine
    await engine.stop()


@pytest.mark.real_data
@pytest.mark.skipif("RESTEP_DATA" not in os.environ, reason="RESTEP_DATA is not set")
async def test_forty_real_games_are_played_alike() -> None:
    assert PYTHON is not None
    library = open_library(Path(os.environ["RESTEP_DATA"]))
    tasks = [task for split in library.splits() for task in spread([one.id for one in library.tasks(split)], 10)]
    assert len(tasks) == 40
    assert await compare_games(library, tasks, 25, PYTHON, workers=2) == []


async def test_our_own_games_are_played_alike() -> None:
    assert PYTHON is not None
    library = embedded_library()
    assert await compare_games(library, spread([task.id for task in library.tasks()], 12), 20, PYTHON, workers=2) == []


def game() -> tuple[str, GameText]:
    library = embedded_library()
    task = library.tasks()[0].id
    return task, library.load(task)


async def test_a_killed_worker_is_a_lost_engine_and_the_next_game_gets_a_new_one(engine: TextWorldEngine) -> None:
    task, text = game()
    episode = await engine.begin(task, lambda: text, "new")
    step = asyncio.create_task(episode.step("inventory"))
    await asyncio.sleep(0)
    engine.workers[0].process.send_signal(signal.SIGKILL)
    with pytest.raises(EngineLost):
        await step
    await episode.close()
    again = await engine.begin(task, lambda: text, "new")
    assert (await again.step("inventory")).observation == "You are not carrying anything."
    assert engine.metrics()["worker_restarts"] == 1
    assert engine.metrics()["episodes_open"] == 1
    await again.close()


async def test_workers_are_replaced_after_a_number_of_games(engine: TextWorldEngine) -> None:
    task, text = game()
    pids: list[int] = []
    for _ in range(3):
        episode = await engine.begin(task, lambda: text, "new")
        pids.append(engine.workers[-1].process.pid)
        await episode.close()
    assert pids[0] == pids[1] != pids[2]
    assert engine.metrics()["workers_alive"] == 1


async def test_a_game_that_it_cannot_read_is_corrupt(engine: TextWorldEngine) -> None:
    task, text = game()
    cut = GameText(task, text.domain, text.grammar, text.problem[:2000], None)
    with pytest.raises(RestepError, match=task) as failure:
        await engine.begin(task, lambda: cut, "new")
    assert failure.value.code == "data_corrupt"
    assert engine.metrics()["episodes_open"] == 0


async def test_the_environment_on_it_offers_its_own_wording_only_and_is_won_by_the_same_expert(engine: TextWorldEngine) -> None:
    environment = AlfWorld(embedded_library, engine)
    await environment.start()
    try:
        assert environment.info().engine_version.startswith("textworld 1.")
        with pytest.raises(RestepError) as refused:
            await environment.reset(environment.tasks()[0].id, 0, {"action_style": "old"})
        assert refused.value.code == "invalid_option"
        task, options = environment.tasks()[0].id, {"expert": "planner"}
        advice = await environment.expert(EpisodeKey(task, 0, tuple(options.items())), 50)
        episode = await environment.reset(task, 0, options)
        won = [(await episode.step(action)).success for action in advice.actions]
        assert won == [False] * (len(won) - 1) + [True]
        await episode.close()
    finally:
        await environment.stop()


async def test_a_session_outlives_a_killed_worker() -> None:
    """Over HTTP: the worker is killed between steps and in the middle of one; the client notices nothing."""
    task, text = game()
    place, take, *_ = text.walkthrough or ("", "")
    settings = {"RESTEP_ENGINE": "textworld", "RESTEP_TEXTWORLD_PYTHON": str(PYTHON), "RESTEP_WORKERS": "1"}
    with ServerProcess(["-m", "trainer.cli", "serve", "alfworld", "--port", "0"], settings) as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=120) as client:
            (await client.put("/v1/sessions/s", json={"task_id": task})).raise_for_status()
            steps = "/v1/sessions/s/steps"
            (await client.post(steps, json={"seq": 1, "action": place})).raise_for_status()
            kill_workers(server)
            taken = await client.post(steps, json={"seq": 2, "action": take})
            assert taken.json()["observation"].startswith("You pick up the ")
            asked = asyncio.create_task(client.post(steps, json={"seq": 3, "action": "inventory"}))
            await asyncio.sleep(0.02)
            kill_workers(server)
            answer = (await asked).json()
            assert answer["observation"].startswith("You are carrying: a ")
            assert answer["seq"] == 3


def kill_workers(server: ServerProcess) -> None:
    workers = psutil.Process(server.process.pid).children(recursive=True)
    assert workers
    for worker in workers:
        worker.kill()
