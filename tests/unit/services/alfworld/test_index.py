"""Tasks keep their order and their ids whatever order they were found in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alfworld.index import Entry, Index
from shared.errors import RestepError
from tests.support.game_layouts import IDS

ENTRIES = [Entry(task_id, f"goal of {task_id}", f"{number:016x}") for number, task_id in enumerate(IDS)]


def unknown(index: Index, task_id: str) -> str:
    with pytest.raises(RestepError) as raised:
        index.task(task_id)
    assert raised.value.code == "unknown_task"
    return raised.value.detail


@given(st.permutations(ENTRIES))
def test_the_order_is_by_split_and_id(entries: list[Entry]) -> None:
    index = Index(entries)
    assert [task.id for task in index.select(None, None)] == [*sorted(IDS[:3]), IDS[3]]
    assert index.splits() == {"train": 3, "valid_seen": 1}
    assert index.data_version() == Index(ENTRIES).data_version()


def test_official_splits_come_first() -> None:
    splits = ["zoo", "embedded_train", "valid_unseen", "train", "valid_seen"]
    index = Index(Entry(f"{split}/pick_and_place_simple-Mug-None-Desk-1/t", "", "") for split in splits)
    assert list(index.splits()) == ["train", "valid_seen", "valid_unseen", "embedded_train", "zoo"]


def test_tasks_are_filtered_by_split_and_type() -> None:
    index = Index(ENTRIES)
    assert [task.id for task in index.select("train", "look_at_obj_in_light")] == [IDS[1]]
    assert index.select("valid_seen", "look_at_obj_in_light") == []
    assert index.select(None, "juggling") == []
    assert {task.type for task in index.select("train", None)} == {"pick_and_place_simple", "look_at_obj_in_light"}


def test_a_task_tells_split_type_and_goal() -> None:
    task = Index(ENTRIES).task(IDS[3])
    assert (task.split, task.type, task.goal) == ("valid_seen", "pick_heat_then_place_in_recep", f"goal of {IDS[3]}")


def test_an_unknown_split_is_told_which_there_are() -> None:
    with pytest.raises(RestepError, match="train, valid_seen") as raised:
        Index(ENTRIES).select("test", None)
    assert raised.value.code == "unknown_split"


def test_an_unknown_task_is_told_why() -> None:
    index = Index(ENTRIES, {"train/a-b-c-d-1/t": "its file does not mark it as solvable"})
    assert "solvable" in unknown(index, "train/a-b-c-d-1/t")
    assert "<split>/<task folder>/<trial folder>" in unknown(index, "train")
    assert "train, valid_seen" in unknown(index, "test/a/b")
    assert unknown(index, "train/a/b") == "no task 'train/a/b'"


def test_a_game_met_twice_is_refused() -> None:
    with pytest.raises(RestepError, match="twice"):
        Index([*ENTRIES, ENTRIES[0]])


def test_the_version_follows_the_content() -> None:
    changed = [Entry(ENTRIES[0].task_id, ENTRIES[0].goal, "f" * 16), *ENTRIES[1:]]
    assert Index(changed).data_version() != Index(ENTRIES).data_version()
    assert Index(ENTRIES[1:]).data_version() != Index(ENTRIES).data_version()
