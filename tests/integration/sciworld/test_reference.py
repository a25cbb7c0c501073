"""Every recorded episode of the real simulator, played in ours with all the others at once."""

from __future__ import annotations

import asyncio
import json
import lzma
import os
from pathlib import Path
from typing import Any

import pytest

from services.sciworld.environment import SciWorld

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif("RESTEP_DATA" not in os.environ, reason="RESTEP_DATA is not set"),
]


def recorded() -> list[dict[str, Any]]:
    path = Path(os.environ["RESTEP_DATA"]) / "sciworld" / "reference" / "episodes.jsonl.xz"
    with lzma.open(path, "rt") as lines:
        return [json.loads(line) for line in lines]


async def play(environment: SciWorld, episode: dict[str, Any], ask: bool) -> list[list[Any]]:
    """Description, look, then what each action gave; ``ask`` also wants the admissible actions now and then."""
    task = f"{episode['task']}/{episode['variation']}"
    live = await environment.reset(task, 0, {"simplification": episode["simplification"]})
    seen: list[list[Any]] = [[live.goal, live.observation]]
    for number, (action, *_) in enumerate(episode["steps"]):
        if ask and number % 10 == 0:
            assert await live.admissible_actions()
        step = await live.step(action)
        seen.append([action, step.observation, round(100 * step.score), step.done])
    await live.close()
    return seen


async def test_every_recorded_episode_is_reproduced_interleaved() -> None:
    """Twice over: the second time in recycled simulators, with the admissible actions asked for in between."""
    episodes = recorded()
    assert episodes
    environment = SciWorld(workers=2)
    await environment.start()
    try:
        for ask in (False, True):
            played = await asyncio.gather(*(play(environment, episode, ask) for episode in episodes))
            for episode, seen in zip(episodes, played, strict=True):
                assert seen == [[episode["description"], episode["look"]], *episode["steps"]]
    finally:
        await environment.stop()
