from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import RestepError
from shared.protocol import TaskInfo
from shared.tasks import TaskSet

SOME = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz")), max_size=20).map(
    lambda rows: [TaskInfo(id=str(number), split=split, type=type) for number, (split, type) in enumerate(rows)]
)


@given(SOME, st.sampled_from(["a", "b", None]), st.sampled_from(["x", "y", "w", None]))
def test_a_selection_is_what_matches_in_order(tasks: list[TaskInfo], split: str | None, type: str | None) -> None:
    held = TaskSet(tasks)
    if split is not None and split not in {task.split for task in tasks}:
        with pytest.raises(RestepError, match=f"no split '{split}'"):
            held.select(split, type)
        return
    wanted = [task for task in tasks if split in (None, task.split) and type in (None, task.type)]
    assert list(held.select(split, type)) == list(held.select(split, type)) == wanted


@given(SOME)
def test_splits_count_their_tasks_and_ids_find_them(tasks: list[TaskInfo]) -> None:
    held = TaskSet(tasks)
    assert sum(held.splits().values()) == len(tasks)
    assert all(held.get(task.id) is task for task in tasks)
    assert held.get("none") is None
