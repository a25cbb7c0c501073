"""The cache of gold paths: what is found once is read ever after, and nothing breaks it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from services.sciworld.gold import GoldPaths, cache_folder
from services.sciworld.simulator import Simulator


class Recorder:
    """Stands where a simulator does and counts how often it is asked; only ``gold`` is ever called."""

    def __init__(self) -> None:
        self.asked = 0

    def gold(self, task: str, variation: int, simplification: str) -> list[str]:
        self.asked += 1
        return ["go to hallway", f"focus on {task} {variation} {simplification}"]


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def get(gold: GoldPaths, simulator: object, simplification: str = "") -> tuple[str, ...]:
    assert isinstance(simulator, Recorder)
    stand_in: Simulator = simulator  # pyright: ignore[reportAssignmentType]  # only gold() is called
    return gold.get(stand_in, "boil", 3, simplification)


def test_a_path_is_found_once_and_by_every_process(tmp_path: Path, recorder: Recorder) -> None:
    first = get(GoldPaths(tmp_path), recorder)
    assert get(GoldPaths(tmp_path), recorder) == first
    assert GoldPaths(tmp_path).find("boil", 3, "") == first
    assert recorder.asked == 1


def test_simplifications_and_variations_do_not_mix(tmp_path: Path, recorder: Recorder) -> None:
    gold = GoldPaths(tmp_path)
    assert get(gold, recorder) != get(gold, recorder, "easy")
    assert gold.find("boil", 4, "") is None
    assert gold.find("melt", 3, "") is None


@pytest.mark.parametrize("damage", [b"", b"[", b"\xff\xfe"])
def test_a_damaged_file_is_found_anew(tmp_path: Path, recorder: Recorder, damage: bytes) -> None:
    gold = GoldPaths(tmp_path)
    path = get(gold, recorder)
    (file,) = tmp_path.rglob("*.json")
    file.write_bytes(damage)
    assert get(gold, recorder) == path
    assert gold.find("boil", 3, "") == path


def test_a_folder_that_cannot_be_written_costs_only_the_cache(tmp_path: Path, recorder: Recorder) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    gold = GoldPaths(blocked)
    assert get(gold, recorder) == get(gold, recorder)
    assert recorder.asked == 2


def test_nothing_half_written_is_left(tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, "replace", full)
    gold = GoldPaths(tmp_path)
    get(gold, recorder)
    assert gold.find("boil", 3, "") is None
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


def test_the_folder_is_the_users_choice_or_the_platforms(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RESTEP_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("RESTEP_CACHE")
    assert cache_folder().name == "restep"
