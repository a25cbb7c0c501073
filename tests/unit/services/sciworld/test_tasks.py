"""The task table: ids, splits, options."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sciworld.tasks import (
    SIMPLIFICATIONS,
    SPLITS,
    VARIATIONS,
    TaskTable,
    check_simplification,
    is_electrical,
    parse_task_id,
)
from shared.errors import RestepError

TABLE = TaskTable()


def test_counts_are_the_benchmarks() -> None:
    assert len(VARIATIONS) == 30
    assert [len(TABLE.select(split, None)) for split in SPLITS] == [3592, 1796, 1819]
    assert len(TABLE.select(None, None)) == 7207


def test_ids_are_unique_and_resolve_to_themselves() -> None:
    tasks = TABLE.select(None, None)
    assert len({task.id for task in tasks}) == len(tasks)
    for task in tasks[::97]:
        assert TABLE.get(task.id) is task
        assert parse_task_id(task.id)[0] == task.type


def test_a_split_of_a_type_is_a_run_of_variations() -> None:
    assert [task.id for task in TABLE.select("dev", "identify-life-stages-2")] == [
        "identify-life-stages-2/4",
        "identify-life-stages-2/5",
    ]
    assert [task.id for task in TABLE.select("test", "boil")][:2] == ["boil/21", "boil/22"]


def test_an_unknown_type_has_no_tasks() -> None:
    assert list(TABLE.select("train", "bake-a-cake")) == []


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(RestepError) as caught:
        TABLE.select("valid", None)
    assert caught.value.code == "unknown_split"
    assert "train, dev, test" in caught.value.detail


@pytest.mark.parametrize(
    "bad",
    [
        "boil",
        "boil/",
        "boil/30",
        "boil/-1",
        "boil/007",
        "boil/1/2",
        "/0",
        "",
        "boil/٣",
        "fly/0",
        "boil/ 1",
        "boil/" + "1" * 5000,
    ],
)
def test_a_bad_task_id_is_refused(bad: str) -> None:
    with pytest.raises(RestepError) as caught:
        TABLE.get(bad)
    assert caught.value.code == "unknown_task"


@given(st.text() | st.from_regex(r"boil/[0-9]{1,3}", fullmatch=True))
def test_any_text_is_a_known_task_or_refused(text: str) -> None:
    if text in {task.id for task in TABLE.select(None, None)}:
        assert "/".join(map(str, parse_task_id(text))) == text
        return
    with pytest.raises(RestepError) as caught:
        parse_task_id(text)
    assert caught.value.code == "unknown_task"


@given(st.lists(st.sampled_from(SIMPLIFICATIONS)), st.randoms(use_true_random=False))
def test_equal_simplifications_have_one_form(labels: list[str], random: object) -> None:
    shouted = ",".join(f" {label.upper()} " for label in reversed(labels))
    canonical = check_simplification(",".join(labels))
    assert check_simplification(shouted) == canonical
    assert check_simplification(canonical) == canonical
    assert set(canonical.split(",")) - {""} == set(labels)


@pytest.mark.parametrize("bad", ["hard", "easy,openDoors", "openDoors,", "openDoors;openContainers", "EASY "])
def test_unknown_simplifications_are_refused(bad: str) -> None:
    if bad == "openDoors,":  # an empty label means nothing
        assert check_simplification(bad) == "openDoors"
        return
    with pytest.raises(RestepError) as caught:
        check_simplification(bad)
    assert caught.value.code == "invalid_option"


def test_the_electrical_tasks_are_the_four_with_wires() -> None:
    assert [name for name in VARIATIONS if is_electrical(name)] == [
        "power-component",
        "power-component-renewable-vs-nonrenewable-energy",
        "test-conductivity",
        "test-conductivity-of-unknown-substances",
    ]
