"""Tasks: ids, splits and types."""

from __future__ import annotations

import pytest

from services.webshop.generate import generate_rows
from services.webshop.tasks import TaskTable
from shared.errors import RestepError
from tests.support.webshop import open_world


@pytest.fixture(scope="module")
def tasks() -> TaskTable:
    """Enough goals for every split."""
    return open_world(generate_rows(500, 2)).tasks


def test_splits_follow_the_benchmarks_numbers(tasks: TaskTable) -> None:
    splits = tasks.splits()
    assert list(splits) == ["test", "dev", "train", "human"]
    assert (splits["test"], splits["dev"]) == (500, 1000)
    assert [tasks.select(split)[0].id for split in splits] == ["synthetic-0", "synthetic-500", "synthetic-1500", "human-0"]
    assert tasks.select("test")[-1].id == "synthetic-499"
    assert [task.split for task in tasks.select()[498:502]] == ["test", "test", "dev", "dev"]
    assert len(tasks.select()) == sum(splits.values())


def test_splits_without_tasks_are_left_out() -> None:
    few = open_world(generate_rows(2, 1)).tasks
    assert list(few.splits()) == ["test", "human"]


def test_a_task_is_found_by_the_id_it_is_listed_with(tasks: TaskTable) -> None:
    for task in tasks.select()[::97]:
        assert tasks.task(task.id) == task
        assert tasks.goal(task.id).text == task.goal


def test_types_are_categories(tasks: TaskTable) -> None:
    assert tasks.types() == sorted({task.type for task in tasks.select()})
    for split in (None, "dev", "human"):
        for kind in tasks.types():
            assert list(tasks.select(split, kind)) == [task for task in tasks.select(split) if task.type == kind]
    assert list(tasks.select("dev", "cars")) == []


@pytest.mark.parametrize("task_id", ["", "synthetic-", "synthetic-99999", "synthetic-01", "synthetic--1", "human-1 ", "dev-1"])
def test_unknown_tasks_are_told(tasks: TaskTable, task_id: str) -> None:
    with pytest.raises(RestepError) as failure:
        tasks.task(task_id)
    assert failure.value.code == "unknown_task"


def test_unknown_splits_are_told(tasks: TaskTable) -> None:
    with pytest.raises(RestepError, match="there are test, dev, train, human") as failure:
        tasks.select("valid")
    assert failure.value.code == "unknown_split"
