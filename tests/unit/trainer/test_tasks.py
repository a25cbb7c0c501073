import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.client import EnvironmentClient
from shared.errors import RestepError
from shared.protocol import TaskInfo
from trainer.tasks import TaskSelection, choose, select_tasks

TASKS = [TaskInfo(id=f"{kind}/{i}", split="train", type=kind) for kind, n in (("boil", 9), ("melt", 4)) for i in range(n)]


def chosen(**options: object) -> set[str]:
    return {task.id for task in choose(TASKS, TaskSelection.model_validate(options))}


@given(st.integers(1, 12), st.integers(1, 15), st.randoms(use_true_random=False))
def test_the_choice_depends_on_the_ids_alone(per_type: int, limit: int, order: random.Random) -> None:
    selection = TaskSelection(per_type=per_type, limit=limit)
    shuffled = TASKS.copy()
    order.shuffle(shuffled)
    picked = choose(shuffled, selection)
    assert {task.id for task in picked} == chosen(per_type=per_type, limit=limit)
    assert [task for task in shuffled if task in picked] == picked
    assert len(picked) == min(limit, min(per_type, 9) + min(per_type, 4))
    assert chosen(per_type=per_type) <= chosen(per_type=per_type + 1)
    assert chosen(limit=limit) <= chosen(limit=limit + 1)


def test_types_and_salt() -> None:
    assert chosen(types=["melt"]) == {f"melt/{i}" for i in range(4)}
    assert chosen(limit=5) != chosen(limit=5, salt="other")


async def test_tasks_come_from_the_server(corridor: EnvironmentClient) -> None:
    tasks = await select_tasks(corridor, TaskSelection(split="test", per_type=2))
    assert len(tasks) == 4
    assert {task.split for task in tasks} == {"test"}
    with pytest.raises(RestepError, match="unknown_split"):
        await select_tasks(corridor, TaskSelection(split="no"))
    with pytest.raises(RestepError, match="no tasks of type candle"):
        await select_tasks(corridor, TaskSelection(types=["candle", "lamp"]))
