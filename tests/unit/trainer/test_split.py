import random
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.protocol import TaskInfo
from trainer.split import SplitConfig, half, split_tasks

task_ids = st.lists(st.text(min_size=1, max_size=40), unique=True, max_size=60)
fractions = st.floats(min_value=0, max_value=1)


def tasks_of(ids: list[str]) -> list[TaskInfo]:
    return [TaskInfo(id=task_id, split="train", type="t") for task_id in ids]


@given(task_ids, fractions, st.text(max_size=8), st.randoms(use_true_random=False))
def test_halves_are_disjoint_complete_and_independent_of_order(
    ids: list[str], fraction: float, salt: str, order: random.Random
) -> None:
    config = SplitConfig(fraction=fraction, salt=salt)
    first, second = split_tasks(tasks_of(ids), config)
    shuffled = ids.copy()
    order.shuffle(shuffled)
    first_again, second_again = split_tasks(tasks_of(shuffled), config)
    assert {task.id for task in first} == {task.id for task in first_again}
    assert {task.id for task in second} == {task.id for task in second_again}
    assert {task.id for task in first}.isdisjoint(task.id for task in second)
    assert [task.id for task in tasks_of(ids) if half(task.id, config) == "U1"] == [task.id for task in first]
    assert len(first) + len(second) == len(ids)


@given(task_ids, fractions, fractions)
def test_a_larger_fraction_only_moves_tasks_to_the_first_half(ids: list[str], one: float, two: float) -> None:
    small, large = SplitConfig(fraction=min(one, two)), SplitConfig(fraction=max(one, two))
    assert {i for i in ids if half(i, small) == "U1"} <= {i for i in ids if half(i, large) == "U1"}


@pytest.mark.parametrize(("fraction", "expected"), [(0.0, 0), (1.0, 500)])
def test_the_ends_of_the_scale_are_exact(fraction: float, expected: int) -> None:
    config = SplitConfig(fraction=fraction)
    assert sum(half(f"boil/{i}", config) == "U1" for i in range(500)) == expected


def test_the_share_is_near_the_fraction_and_another_salt_is_another_split() -> None:
    ids = [f"find-plant/{i}" for i in range(4000)]
    for fraction in (0.2, 0.5, 0.8):
        share = sum(half(i, SplitConfig(fraction=fraction)) == "U1" for i in ids) / len(ids)
        assert abs(share - fraction) < 0.04
    default, other = SplitConfig(), SplitConfig(salt="second")
    assert 1700 < sum(half(i, default) != half(i, other) for i in ids) < 2300


def test_another_process_with_another_hash_seed_gives_the_same_halves() -> None:
    program = "from trainer.split import *\nprint(''.join(half(f'boil/{i}', SplitConfig())[1] for i in range(64)))"
    run = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONHASHSEED": "77"}, capture_output=True, text=True, check=True, timeout=60
    )
    assert run.stdout.strip() == "".join(half(f"boil/{i}", SplitConfig())[1] for i in range(64))


def test_a_misspelt_option_is_refused() -> None:
    with pytest.raises(ValidationError, match="fractoin"):
        SplitConfig.model_validate({"fractoin": 0.3})
