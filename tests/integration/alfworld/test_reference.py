"""Every recorded episode of the original engine, played in ours with all the others at once; every walkthrough."""

from __future__ import annotations

import asyncio
import json
import lzma
import os
from pathlib import Path
from typing import Any

import pytest

from services.alfworld.direct import DirectEngine
from services.alfworld.environment import AlfWorld
from services.alfworld.game import open_game
from services.alfworld.library import open_library
from services.alfworld.rules import Rulebook

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif("RESTEP_DATA" not in os.environ, reason="RESTEP_DATA is not set"),
]


def data() -> Path:
    return Path(os.environ["RESTEP_DATA"])


def recorded() -> list[dict[str, Any]]:
    with lzma.open(data() / "alfworld" / "reference" / "episodes.jsonl.xz", "rt") as lines:
        return [json.loads(line) for line in lines]


async def play(environment: AlfWorld, episode: dict[str, Any]) -> list[Any]:
    """First observation, goal and commands, then what each action gave, as recorded."""
    live = await environment.reset(episode["task"], 0, {})
    seen: list[Any] = [live.observation, live.goal, await live.admissible_actions()]
    for action, *_ in episode["steps"]:
        step = await live.step(action)
        assert step.success is step.done is (step.score == 1.0)
        assert step.valid is (step.observation != "Nothing happens.")
        seen.append([action, step.observation, step.success, await live.admissible_actions()])
        await asyncio.sleep(0)
    await live.close()
    return seen


async def test_every_recorded_episode_is_reproduced_interleaved() -> None:
    episodes = recorded()
    assert len(episodes) >= 50
    environment = AlfWorld(lambda: open_library(data()), DirectEngine())
    await environment.start()
    try:
        played = await asyncio.gather(*(play(environment, episode) for episode in episodes))
        for episode, seen in zip(episodes, played, strict=True):
            assert seen == [episode["room"], episode["goal"], episode["admissible"], *episode["steps"]]
    finally:
        await environment.stop()


def test_every_walkthrough_wins_and_not_before_its_end() -> None:
    library, book = open_library(data()), Rulebook()
    tasks = library.tasks()
    assert len(tasks) == 4027
    for task in tasks:
        game = open_game(library.load(task.id), book, "new")
        state = game.tables
        for command in game.walkthrough or ():
            assert not game.won(state), task.id
            move = game.find(state, command)
            assert move is not None, (task.id, command)
            state = game.after(state, move)
        assert game.won(state), task.id
