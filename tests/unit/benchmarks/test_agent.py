"""Both loops of the agent's benchmark play the same episodes: what differs is only who waits for whom."""

from __future__ import annotations

import pytest

from benchmarks.agent import LOOPS, Stage
from services.envserver.app import create_app
from shared.client import EnvironmentClient
from shared.settings import EnvironmentSettings
from tests.support.corridor import CorridorWorld
from tests.support.live import live
from tests.support.scripted import Scripted
from trainer.rollout import EpisodeConfig
from trainer.tasks import TaskSelection, select_tasks


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("at_once", [1, 3, 16])
async def test_every_task_is_played_to_its_end(loop: str, at_once: int) -> None:
    player = Scripted("go to room 1", "take lamp", "go to room 2", "go to room 3")
    async with live(create_app(CorridorWorld(), EnvironmentSettings())) as url, EnvironmentClient(url) as client:
        tasks = await select_tasks(client, TaskSelection(split="train"))
        steps = await LOOPS[loop](Stage(client, player, EpisodeConfig(max_steps=3)), tasks, at_once)
        # In the two tasks of one room the lamp is taken in the second step; the others go on to their limit of three.
        assert (len(tasks), steps) == (8, 2 * 2 + 6 * 3)
        assert (await client.info()).sessions == 0
