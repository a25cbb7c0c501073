from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from services.sciworld.environment import SciWorld, SciWorldEpisode
from services.sciworld.house import ROOMS
from services.sciworld.tasks import VARIATIONS
from shared.environment import EpisodeKey
from shared.protocol import ExpertAdvice, TaskInfo
from trainer.corpus import Play, PlayStep
from trainer.plays import PlayFile, PlayOptions, collect_plays, play_one, room_of, tasks_by_type, way


def test_the_way_leads_through_doors() -> None:
    assert way(ROOMS, "workshop", "foundry") in (
        ["hallway", "kitchen", "outside", "foundry"],
        ["hallway", "greenhouse", "outside", "foundry"],
    )
    assert way(ROOMS, "kitchen", "kitchen") == []
    assert way(ROOMS, "kitchen", "cellar") == []


def test_a_room_is_read_from_a_look() -> None:
    assert room_of("This outside location is called the outside. Here you see:") == "outside"
    assert room_of("The door is closed.") == ""


def test_a_line_cut_off_by_a_kill_is_played_again_and_harms_no_other(tmp_path: Path) -> None:
    file = PlayFile(tmp_path / "plays.jsonl")
    play = Play("wander", "boil", 1, "", "goal", "look", (PlayStep("wait", "You wait."),))
    file.add(2, play)
    file.add(0, play)
    with (tmp_path / "plays.jsonl").open("ab") as raw:
        raw.write(b'{"number": 1, "kind"')
    assert [row["number"] for row in file.rows()] == [0, 2]
    file.add(1, play)
    assert [row["number"] for row in file.rows()] == [0, 1, 2]
    assert file.plays() == [play] * 3


async def test_a_task_outside_the_train_split_is_refused() -> None:
    environment = SciWorld(1)
    for split in ("dev", "test"):
        stray = {"boil": [TaskInfo(id="boil/20", split=split, type="boil")]}
        with pytest.raises(AssertionError, match="only train"):
            await play_one(environment, PlayOptions(), 0, stray, ROOMS)


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
        await collect_plays(environment, PlayOptions(plays=4, sessions=2), file, ROOMS)
        first = file.rows()
        await collect_plays(environment, PlayOptions(plays=8, sessions=2), file, ROOMS)
        assert [row for row in file.rows() if row["number"] < 4] == first
        again = await play_one(
            environment, PlayOptions(), int(first[0]["number"]), tasks_by_type(environment.tasks("train")), ROOMS
        )
    finally:
        await environment.stop()
    assert again is not None
    assert again == Play.from_row(first[0])
    assert len(file.plays()) >= 6
    for task_id in environment.begun:
        name, _, variation = task_id.rpartition("/")
        assert int(variation) < VARIATIONS[name][0]
    assert not [task_id for task_id in environment.asked if task_id.startswith(PlayOptions().unseen)]


def test_which_tasks_an_expert_play_takes_leaves_out_what_is_taught_later_and_what_takes_too_long() -> None:
    unseen = PlayOptions().unseen
    assert [name for name in VARIATIONS if name.startswith(unseen)] == [
        "find-living-thing",
        "find-non-living-thing",
        "find-plant",
        "find-animal",
        "lifespan-longest-lived",
        "lifespan-shortest-lived",
        "lifespan-longest-lived-then-shortest-lived",
        "mendelian-genetics-known-plant",
        "mendelian-genetics-unknown-plant",
    ]
