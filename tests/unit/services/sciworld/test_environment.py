"""ScienceWorld behind the environment seam."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from services.sciworld.environment import SciWorld
from services.sciworld.jvm import Jvm
from shared.errors import EngineLost, RestepError

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sciworld() -> AsyncIterator[SciWorld]:
    environment = SciWorld(workers=2)
    await environment.start()
    yield environment
    await environment.stop()


async def test_info_names_what_is_served(sciworld: SciWorld) -> None:
    info = sciworld.info()
    assert info.engine_version == "scienceworld 1.2.3 (hashCode=2)"
    assert len(info.data_version) == 16
    assert {split.name: split.tasks for split in info.splits} == {"train": 3592, "dev": 1796, "test": 1819}
    assert len(info.task_types) == 30
    assert info.max_steps == 100


async def test_an_episode_from_start_to_success(sciworld: SciWorld) -> None:
    episode = await sciworld.reset("find-plant/3", 0, {"simplification": "easy"})
    assert episode.goal.startswith("Your task is to find a(n) plant.")
    assert "\n\tthe agent\n" in episode.observation
    gold = await sciworld.run(lambda shard: shard.acquire().gold("find-plant", 3, "easy"))
    steps = [await episode.step(action) for action in gold]
    ends = [step.done for step in steps]
    assert ends.index(True) >= len(steps) - 3
    assert all(step.success is (step.score == 1.0) for step in steps)
    assert steps[-1].success
    await episode.close()


async def test_a_lost_episode_is_done_without_success(sciworld: SciWorld) -> None:
    episode = await sciworld.reset("find-plant/3", 0, {})
    lost = await episode.step("focus on agent")
    assert (lost.score, lost.done, lost.success, lost.valid) == (-1.0, True, False, True)
    again = await episode.step("reset task")
    assert (again.score, again.done, again.success, again.valid) == (-1.0, True, False, False)
    await episode.close()


async def test_admissible_actions_are_taken(sciworld: SciWorld) -> None:
    episode = await sciworld.reset("boil/0", 0, {})
    actions = await episode.admissible_actions()
    assert "look around" in actions
    assert "reset task" not in actions
    assert (await episode.step(actions[0])).valid
    await episode.close()


async def test_seed_does_not_matter_and_variation_does(sciworld: SciWorld) -> None:
    episodes = [await sciworld.reset(task, seed, {}) for task, seed in [("boil/1", 0), ("boil/1", 99), ("boil/2", 0)]]
    texts = [(episode.goal, episode.observation) for episode in episodes]
    assert texts[0] == texts[1] != texts[2]
    for episode in episodes:
        await episode.close()


@pytest.mark.parametrize(
    ("task", "options", "code"),
    [
        ("boil/99", {}, "unknown_task"),
        ("bake/0", {}, "unknown_task"),
        ("boil/0", {"simplification": "harder"}, "invalid_option"),
        ("boil/0", {"colour": "red"}, "invalid_option"),
        ("power-component/0", {"simplification": "noElectricalAction"}, "invalid_option"),
    ],
)
async def test_a_wrong_request_is_refused(sciworld: SciWorld, task: str, options: dict[str, str], code: str) -> None:
    with pytest.raises(RestepError) as caught:
        await sciworld.reset(task, 0, options)
    assert caught.value.code == code
    assert sciworld.metrics()["simulators_in_use"] == 0


async def test_easy_keeps_the_wires_of_the_tasks_that_need_them(sciworld: SciWorld) -> None:
    for task, wires in [("power-component/0", True), ("boil/0", False)]:
        episode = await sciworld.reset(task, 0, {"simplification": "easy"})
        grammar = (await episode.step("help")).observation
        assert ("connect OBJ to OBJ" in grammar) is wires
        assert "teleport OBJ" in grammar
        await episode.close()


async def test_episodes_spread_over_the_shards_and_come_back(sciworld: SciWorld) -> None:
    episodes = await asyncio.gather(*(sciworld.reset("melt/0", 0, {}) for _ in range(6)))
    assert [shard.episodes for shard in sciworld.shards] == [3, 3]
    for episode in episodes:
        await episode.close()
        await episode.close()
    assert sciworld.metrics()["simulators_in_use"] == 0
    with pytest.raises(EngineLost):
        await episodes[0].step("wait")


async def test_a_killed_jvm_loses_its_episodes_and_replay_brings_them_back(sciworld: SciWorld) -> None:
    actions = ["open door to hallway", "wait", "look around", "pick up thermometer", "nonsense", "go to hallway"]
    episode = await sciworld.reset("grow-plant/1", 0, {})
    shard = max(sciworld.shards, key=lambda shard: shard.episodes)
    lived = [await episode.step(action) for action in actions[:4]]
    assert shard.pid is not None
    os.kill(shard.pid, signal.SIGKILL)
    for _ in range(2):
        with pytest.raises(EngineLost):
            await episode.step(actions[4])
        with pytest.raises(EngineLost):
            await episode.admissible_actions()
    await episode.close()
    replayed = await sciworld.reset("grow-plant/1", 0, {})
    assert (replayed.goal, replayed.observation) == (episode.goal, episode.observation)
    assert [await replayed.step(action) for action in actions[:4]] == lived
    await replayed.step(actions[4])
    await replayed.close()
    await shard.run(lambda: None)
    assert sciworld.metrics()["worker_restarts"] == 1
    assert sciworld.metrics()["workers_alive"] == 2


async def test_one_shard_that_cannot_start_stops_them_all(tmp_path: Path) -> None:
    launched = itertools.count()
    started: list[Jvm] = []

    def launch() -> Jvm:
        if next(launched) > 0:
            return Jvm(java=tmp_path / "java")
        started.append(Jvm())
        return started[0]

    environment = SciWorld(workers=2, launch=launch)
    with pytest.raises(RestepError) as caught:
        await environment.start()
    assert caught.value.code == "engine_failed"
    assert not psutil.pid_exists(started[0].pid)
