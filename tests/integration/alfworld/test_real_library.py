"""The benchmark's own games, all of them, in every layout: complete, the same, and quick to get at."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path

import pytest

from services.alfworld.dataset import OFFICIAL, AlfworldDataset
from services.alfworld.game_file import TASK_TYPES
from services.alfworld.library import GameLibrary, open_library
from services.alfworld.pack import Pack, PackWriter

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.slow,
    pytest.mark.skipif("RESTEP_DATA" not in os.environ, reason="RESTEP_DATA is not set"),
]

BY_TYPE = {
    "train": (790, 308, 650, 459, 533, 813),
    "valid_seen": (35, 13, 27, 16, 25, 24),
    "valid_unseen": (24, 18, 31, 23, 21, 17),
}
"""Games of the splits by type, in the benchmark's order of types."""


@pytest.fixture(scope="module")
def library() -> GameLibrary:
    return open_library(Path(os.environ["RESTEP_DATA"]))


@pytest.mark.timeout(600)
def test_the_splits_are_the_benchmarks(library: GameLibrary) -> None:
    splits = library.splits()
    assert {split: splits[split] for split in OFFICIAL} == OFFICIAL
    for split, counts in BY_TYPE.items():
        types = Counter(task.type for task in library.tasks(split))
        assert tuple(types[kind] for kind in TASK_TYPES) == counts


@pytest.mark.timeout(600)
def test_everything_can_be_read_and_nothing_is_missing(library: GameLibrary) -> None:
    report = AlfworldDataset().check(Path(os.environ["RESTEP_DATA"]), lambda _: None)
    assert report.problems == []
    assert library.data_version in report.facts[0]


@pytest.mark.timeout(600)
def test_every_game_has_a_walkthrough_annotations_and_a_goal(library: GameLibrary) -> None:
    for task in library.tasks("valid_seen"):
        game = library.load(task.id)
        assert game.walkthrough
        assert game.annotations
        assert task.goal.startswith("Your task is to: ")
        assert task.goal in game.grammar


def test_a_pack_of_the_games_is_the_same_library(library: GameLibrary, tmp_path: Path) -> None:
    tasks = [task.id for task in library.tasks("valid_unseen")]
    writer = PackWriter()
    for task_id in tasks:
        writer.add(library.load(task_id))
    writer.write(tmp_path / "games.jsonl.xz")
    pack = Pack(tmp_path / "games.jsonl.xz")
    assert [pack.load(task_id) for task_id in tasks] == [library.load(task_id) for task_id in tasks]


@pytest.mark.timeout(600)
def test_the_second_start_and_a_game_take_milliseconds(library: GameLibrary) -> None:
    began = time.process_time()
    again = open_library(Path(os.environ["RESTEP_DATA"]))
    assert time.process_time() - began < 0.5
    tasks = [task.id for task in again.tasks("train")][::40]
    began = time.process_time()
    for task_id in tasks:
        again.load(task_id)
    assert (time.process_time() - began) / len(tasks) < 0.005
    assert again.data_version == library.data_version
