from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from shared.errors import RestepError
from shared.store import TrajectoryStore, UnitKey, new_owner
from tests.support.documents import make_trajectory
from tests.support.refusal import refusal

UNITS = [(f"a/{index}", attempt) for attempt in (0, 1) for index in (3, 1, 2)]
ANN, BOB = "elsewhere|1|1|ann", "elsewhere|2|1|bob"
"""Owners on other machines: nothing is known of them but their leases."""


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(place: str, clock: Clock) -> Iterator[TrajectoryStore]:
    with TrajectoryStore(place, clock=clock) as opened:
        yield opened


def finish(store: TrajectoryStore, unit: UnitKey, owner: str | None = None) -> bool:
    return store.commit(make_trajectory(unit[0], seed=unit[1]), attempt=unit[1], kept=True, owner=owner)


def test_units_are_claimed_in_the_order_of_the_plan(store: TrajectoryStore) -> None:
    assert store.plan("run", UNITS) == 6
    assert store.claim("run", ANN, 2, 60) == UNITS[:2]
    assert store.claim("run", BOB, 3, 60) == UNITS[2:5]
    assert store.claim("run", ANN, 10, 60) == UNITS[5:]
    assert store.claim("run", BOB, 10, 60) == []
    assert store.claim("other", BOB, 10, 60) == []


def test_a_plan_is_made_once_and_knows_what_is_finished(store: TrajectoryStore) -> None:
    finish(store, UNITS[1])
    assert store.plan("run", UNITS) == 5
    store.claim("run", ANN, 1, 60)
    assert store.plan("run", UNITS) == 5
    assert store.claim("run", BOB, 2, 60) == UNITS[2:4]
    for unit in UNITS:
        finish(store, unit)
    assert store.plan("run", UNITS) == 0
    assert store.unfinished("run") == 0


def test_a_large_plan(store: TrajectoryStore) -> None:
    many = [(f"task/{index}", 0) for index in range(1500)]
    assert store.plan("run", many) == 1500
    assert store.claim("run", ANN, 1200, 60) == many[:1200]
    assert store.renew("run", ANN, many, 60) == set(many[:1200])
    assert store.plan("run", many[:1200]) == 1200
    assert store.unfinished("run") == 1200


def test_what_is_planned_no_more_is_not_work_unless_somebody_is_at_it(store: TrajectoryStore, clock: Clock) -> None:
    store.plan("run", UNITS)
    store.claim("run", ANN, 1, 60)
    with refusal("invalid_recipe") as caught:
        store.plan("run", UNITS[1:])
    assert "a/3" in caught.value.detail
    clock.seconds += 60
    assert store.plan("run", UNITS[1:]) == 5
    assert store.claim("run", BOB, 10, 60) == UNITS[1:]
    assert finish(store, UNITS[0], ANN) is False


def test_a_lease_runs_out_unless_it_is_renewed(store: TrajectoryStore, clock: Clock) -> None:
    store.plan("run", UNITS[:2])
    store.claim("run", ANN, 2, 60)
    clock.seconds += 59
    assert store.claim("run", BOB, 2, 60) == []
    assert store.renew("run", ANN, UNITS[:1], 60) == {UNITS[0]}
    clock.seconds += 59
    assert store.claim("run", BOB, 2, 60) == [UNITS[1]]
    assert store.renew("run", ANN, UNITS[:2], 60) == {UNITS[0]}


def test_a_clock_that_is_put_back_holds_nothing_for_ever(store: TrajectoryStore, clock: Clock) -> None:
    store.plan("run", UNITS[:1])
    store.claim("run", ANN, 1, 60)
    clock.seconds -= 30
    assert store.claim("run", BOB, 1, 60) == []
    clock.seconds -= 3600
    assert store.claim("run", BOB, 1, 60) == UNITS[:1]


def test_a_late_commit_of_an_owner_that_was_replaced_changes_nothing(store: TrajectoryStore, clock: Clock) -> None:
    store.plan("run", UNITS[:1])
    store.claim("run", ANN, 1, 60)
    clock.seconds += 61
    store.claim("run", BOB, 1, 60)
    assert finish(store, UNITS[0], ANN) is False
    assert store.fail("run", *UNITS[0], RestepError("timeout"), owner=ANN) == 0
    assert (store.finished("run"), store.failures("run"), store.unfinished("run")) == (set(), [], 1)
    assert finish(store, UNITS[0], BOB) is True
    assert finish(store, UNITS[0], ANN) is False
    assert store.claim("run", ANN, 1, 60) == []


def test_work_that_nobody_took_over_may_be_late(store: TrajectoryStore, clock: Clock) -> None:
    store.plan("run", UNITS[:1])
    store.claim("run", ANN, 1, 60)
    clock.seconds += 3600
    assert finish(store, UNITS[0], ANN) is True


def test_a_failed_unit_comes_last_and_is_given_up_after_so_many_tries(store: TrajectoryStore) -> None:
    store.plan("run", UNITS[:3])
    assert store.claim("run", ANN, 1, 60, tries=2) == UNITS[:1]
    assert store.fail("run", *UNITS[0], RestepError("timeout"), owner=ANN) == 1
    assert store.claim("run", ANN, 10, 60, tries=2) == [*UNITS[1:3], UNITS[0]]
    assert store.fail("run", *UNITS[0], RestepError("timeout"), owner=ANN) == 2
    assert store.claim("run", ANN, 10, 60, tries=2) == []
    assert (store.unfinished("run", tries=2), store.unfinished("run")) == (2, 3)
    assert store.claim("run", ANN, 10, 60, tries=3) == UNITS[:1]


def test_what_is_released_is_free(store: TrajectoryStore) -> None:
    store.plan("run", UNITS)
    store.claim("run", ANN, 2, 60)
    store.claim("run", BOB, 1, 60)
    store.release("run", ANN)
    assert store.claim("run", BOB, 3, 60) == [*UNITS[:2], UNITS[3]]


def test_namespaces_share_nothing(place: str) -> None:
    with TrajectoryStore(place, namespace="one") as one, TrajectoryStore(place, namespace="two") as two:
        for store in (one, two):
            assert store.plan("run", UNITS[:1]) == 1
            assert store.claim("run", ANN, 5, 60) == UNITS[:1]
            assert store.commit(make_trajectory(UNITS[0][0]), kept=True, owner=ANN)
            assert store.runs() == ["run"]
            assert [unit.run for unit in store.units("run")] == ["run"]
        assert list(one.trajectories("run")) == list(two.trajectories("run")) == [make_trajectory(UNITS[0][0])]
        with TrajectoryStore(place) as everything:
            assert everything.runs() == ["one/run", "two/run"]


def test_the_first_recipe_of_an_experiment_stays(store: TrajectoryStore) -> None:
    assert store.begin("demo", "first") == "first"
    assert store.begin("demo", "second") == "first"
    assert store.begin("other", "second") == "second"


_CLAIM_AND_DIE = """
import os, sys
from shared.store import TrajectoryStore, new_owner
store = TrajectoryStore(sys.argv[1])
sys.stdout.write(repr(store.claim("run", new_owner(), 2, 3600)))
sys.stdout.flush()
os.kill(os.getpid(), 9)
"""


def test_units_of_a_process_that_died_here_are_free_at_once(place: str) -> None:
    with TrajectoryStore(place) as store:
        store.plan("run", UNITS)
        done = subprocess.run([sys.executable, "-c", _CLAIM_AND_DIE, place], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (-9, repr(UNITS[:2])), done.stderr
        assert store.claim("run", new_owner(), 1, 60) == UNITS[:1]
        assert store.claim("run", ANN, 9, 60) == UNITS[1:]


async def test_many_claim_at_once_and_none_the_same(place: str) -> None:
    many = [(f"task/{index:03}", 0) for index in range(60)]
    with TrajectoryStore(place) as store:
        store.plan("run", many)

        def work(owner: str) -> list[UnitKey]:
            mine: list[UnitKey] = []
            while units := store.claim("run", owner, 3, 60):
                mine += [unit for unit in units if finish(store, unit, owner)]
            return mine

        shares = await asyncio.gather(*(asyncio.to_thread(work, f"elsewhere|{index}|1|x") for index in range(4)))
        assert sorted(unit for share in shares for unit in share) == many
        assert store.finished("run") == set(many)
        assert store.unfinished("run") == 0


class SharedWork(RuleBasedStateMachine):
    """Owners who claim, renew, finish, fail, fall silent and come back late, while the clock goes where it likes."""

    def __init__(self, open_store: Callable[[Callable[[], float]], TrajectoryStore]) -> None:
        super().__init__()
        self.clock = Clock()
        self.store = open_store(self.clock)
        self.store.plan("run", UNITS)
        self.held: dict[UnitKey, tuple[str, float]] = {}  # who holds a unit, renewed when
        self.played: list[tuple[str, UnitKey]] = []  # every claim ever: work that may still be handed in
        self.stored: list[UnitKey] = []

    def teardown(self) -> None:
        """Whatever happened before, one more owner finishes the run; a clock put back a little made leases last longer."""
        self.clock.seconds += 120
        while units := self.store.claim("run", "elsewhere|9|1|last", 4, 60):
            for unit in units:
                assert finish(self.store, unit, "elsewhere|9|1|last")
                self.stored.append(unit)
        assert sorted(self.stored) == sorted(UNITS)
        assert self.store.finished("run") == set(UNITS)
        assert self.store.unfinished("run") == 0
        self.store.close()

    def holds(self, unit: UnitKey) -> bool:
        return unit in self.held and abs(self.clock.seconds - self.held[unit][1]) < 60

    @rule(owner=st.sampled_from([ANN, BOB]), limit=st.integers(1, 4))
    def claim(self, owner: str, limit: int) -> None:
        expected = [unit for unit in UNITS if unit not in self.stored and not self.holds(unit)]
        claimed = self.store.claim("run", owner, limit, 60)
        assert len(claimed) == min(limit, len(expected))
        assert set(claimed) <= set(expected)
        for unit in claimed:
            self.held[unit] = (owner, self.clock.seconds)
            self.played.append((owner, unit))

    @rule(owner=st.sampled_from([ANN, BOB]))
    def renew(self, owner: str) -> None:
        mine = {unit for unit, (holder, _) in self.held.items() if holder == owner}
        assert self.store.renew("run", owner, UNITS, 60) == mine
        self.held |= dict.fromkeys(mine, (owner, self.clock.seconds))

    @rule(data=st.data())
    def hand_in(self, data: st.DataObject) -> None:
        if not self.played:
            return
        owner, unit = data.draw(st.sampled_from(self.played))
        mine = unit in self.held and self.held[unit][0] == owner
        assert finish(self.store, unit, owner) is mine
        if mine:
            del self.held[unit]
            self.stored.append(unit)

    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        if not self.played:
            return
        owner, unit = data.draw(st.sampled_from(self.played))
        mine = unit in self.held and self.held[unit][0] == owner
        assert bool(self.store.fail("run", *unit, RestepError("timeout"), owner=owner)) is mine
        if mine:
            del self.held[unit]

    @rule(owner=st.sampled_from([ANN, BOB]))
    def release(self, owner: str) -> None:
        self.store.release("run", owner)
        self.held = {unit: lease for unit, lease in self.held.items() if lease[0] != owner}

    @rule(seconds=st.sampled_from([1.0, 30.0, 60.0, 3600.0, -1.0, -30.0, -60.0, -1e6]))
    def pass_time(self, seconds: float) -> None:
        self.clock.seconds += seconds

    @invariant()
    def every_unit_is_stored_or_to_do(self) -> None:
        assert self.store.unfinished("run") == len(UNITS) - len(self.stored)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_every_unit_is_finished_exactly_once_whatever_happens(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    place = str(tmp_path / "store.db") if kind == "sqlite" else request.getfixturevalue("postgres").new_schema()
    names = iter(range(10**6))

    def open_store(clock: Callable[[], float]) -> TrajectoryStore:
        return TrajectoryStore(place, namespace=str(next(names)), clock=clock)

    class Here(SharedWork):
        def __init__(self) -> None:
            super().__init__(open_store)

    run_state_machine_as_test(Here, settings=settings(max_examples=20, stateful_step_count=25))
