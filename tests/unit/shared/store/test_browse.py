"""What a list page asks of a store agrees with what the store says elsewhere."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import RestepError
from shared.store import Counts, Summary, TrajectoryStore, Wanted
from tests.support.documents import make_trajectory


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrajectoryStore]:
    """Two runs of several tasks and attempts, every second one without success, and failures."""
    with TrajectoryStore(tmp_path_factory.mktemp("store") / "store.db") as opened:
        for number in range(12):
            run = ("golden", "step")[number % 2]
            made = make_trajectory(f"task/{number // 4}", run=run, seed=number, success=number % 4 < 2)
            opened.commit(made, attempt=number % 4, kept=number % 3 == 0)
        opened.fail("golden", "task/0", 0, RestepError("timeout"))  # finished after all
        opened.fail("golden", "task/9", 0, RestepError("timeout"))
        opened.fail("nothing", "task/9", 0, RestepError("timeout"))
        yield opened


def test_a_summary_counts_as_the_store_does(store: TrajectoryStore) -> None:
    summaries = store.summaries()
    assert list(summaries) == store.runs() == ["golden", "nothing", "step"]
    assert {run: summary.counts for run, summary in summaries.items()} == {run: store.counts(run) for run in store.runs()}
    assert list(store.summaries("st")) == ["step"]
    assert list(store.summaries("%")) == []
    assert summaries["nothing"].counts == Counts(0, 0, 0, 1)
    assert summaries["step"].latest == make_trajectory().created


@given(
    st.builds(
        Wanted,
        task_id=st.sampled_from([None, "task/0", "task/2", "absent"]),
        type=st.sampled_from([None, make_trajectory().task.type, "absent"]),
        success=st.sampled_from([None, True, False]),
        kept=st.sampled_from([None, True, False]),
    ),
    st.lists(st.sampled_from(["golden", "step"]), min_size=1, unique=True),
    st.integers(0, 8),
    st.integers(1, 8),
)
def test_pages_cut_what_a_filter_leaves(
    store: TrajectoryStore, wanted: Wanted, runs: list[str], offset: int, limit: int
) -> None:
    every = sorted((unit for run in runs for unit in store.units(run)), key=lambda one: (one.task_id, one.attempt, one.run))
    fields = ("task_id", "type", "success", "kept")
    left = [unit for unit in every if all(getattr(wanted, name) in (None, getattr(unit, name)) for name in fields)]
    page = store.page(runs, wanted, offset=offset, limit=limit)
    assert page.units == left[offset : offset + limit]
    assert page.total == len(left)


def test_what_is_planned_is_left_until_it_ends(tmp_path: Path) -> None:
    with TrajectoryStore(tmp_path / "store.db") as planning:
        planning.plan("golden", [("task/1", 0), ("task/2", 0), ("task/3", 0)])
        assert planning.summaries()["golden"] == Summary(Counts(0, 0, 0, 0), "", left=3)
        ((task, attempt),) = planning.claim("golden", "owner", 1, 60.0)
        planning.commit(make_trajectory(task, run="golden"), attempt=attempt, kept=True, owner="owner")
        summary = planning.summaries()["golden"]
    assert (summary.counts.finished, summary.left) == (1, 2)


def test_a_store_of_the_first_layout_is_read_as_it_is(tmp_path: Path) -> None:
    with TrajectoryStore(tmp_path / "store.db") as made:
        made.commit(make_trajectory("task/1"), kept=True)
    with closing(sqlite3.connect(tmp_path / "store.db")) as connection, connection:
        connection.execute("DROP TABLE restep_units")
        connection.execute("UPDATE restep_store SET version = 1")
    with TrajectoryStore(tmp_path / "store.db", read_only=True) as reading:
        assert reading.summaries()["run"].counts == Counts(1, 1, 1, 0)
        assert reading.page(["run"]).total == 1


def test_types_are_named_once(store: TrajectoryStore) -> None:
    assert store.types("golden") == [make_trajectory().task.type]
    assert store.types("absent") == []
