from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import pytest

from services.sciworld.environment import SciWorld, SciWorldEpisode
from services.sciworld.tasks import VARIATIONS
from shared.environment import EpisodeKey
from shared.protocol import ExpertAdvice, TaskInfo
from trainer.play import Play, PlayFile
from trainer.plays import collect_plays, play_one, tasks_by_type
from trainer.worlds.sciworld import SciworldPlays, SciworldWorld


async def test_a_task_outside_the_train_split_is_refused() -> None:
    environment, world = SciWorld(1), SciworldWorld(SciworldPlays())
    for split in ("dev", "test"):
        stray = {"boil": [TaskInfo(id="boil/20", split=split, type="boil")]}
        with pytest.raises(AssertionError, match="only train"):
            await play_one(world, environment, stray, random.Random(0))


class Watched(SciWorld):
    """The real simulator; keeps which episodes were begun and which solutions were asked for."""

    def __init__(self) -> None:
        super().__init__(1)
        self.begun: list[str] = []
        self.asked: list[str] = []

    async def reset(self, task_id: str, seed: int, options: Mapping[str, str]) -> SciWorldEpisode:
        self.begun.append(task_id)
        return await super().reset(task_id, seed, options)

    async def expert(self, key: EpisodeKey, max_steps: int) -> ExpertAdvice:
        self.asked.append(key.task_id)
        return await super().expert(key, max_steps)


@pytest.mark.slow
async def test_only_train_variations_are_played_and_a_stopped_collection_goes_on(tmp_path: Path) -> None:
    environment = Watched()
    await environment.start()
    try:
        file = PlayFile(tmp_path / "plays.jsonl")
        await collect_plays(SciworldWorld(SciworldPlays(plays=4)), environment, file, seed=0, sessions=2)
        first = file.rows()
        await collect_plays(SciworldWorld(SciworldPlays(plays=8)), environment, file, seed=0, sessions=2)
        assert [row for row in file.rows() if row["number"] < 4] == first
        tasks = tasks_by_type(environment.tasks("train"))
        again = await play_one(SciworldWorld(SciworldPlays()), environment, tasks, random.Random(f"0/{first[0]['number']}"))
    finally:
        await environment.stop()
    assert again is not None
    assert again == Play.from_row(first[0])
    assert len(file.plays()) >= 6
    for task_id in environment.begun:
        name, _, variation = task_id.rpartition("/")
        assert int(variation) < VARIATIONS[name][0]
    assert not [task_id for task_id in environment.asked if task_id.startswith(SciworldPlays().unseen)]
