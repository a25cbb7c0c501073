from __future__ import annotations

import asyncio
import multiprocessing
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import RestepError
from shared.store import Counts, TrajectoryStore
from shared.trajectory import Trajectory
from tests.support.documents import make_trajectory, trajectories
from tests.support.refusal import refusal

# --- units of work -----------------------------------------------------------------------------------------------


def test_absence_means_to_do(store: TrajectoryStore) -> None:
    assert store.finished("run") == set()
    assert store.commit(make_trajectory("a/1"), kept=True)
    assert store.commit(make_trajectory("a/1", seed=1), attempt=1, kept=False)
    assert store.commit(make_trajectory("a/1", run="other"), kept=True)
    assert store.finished("run") == {("a/1", 0), ("a/1", 1)}
    assert store.runs() == ["other", "run"]


def test_a_unit_is_finished_once_and_the_first_stays(store: TrajectoryStore) -> None:
    first, second = make_trajectory(seed=1), make_trajectory(seed=2)
    assert store.commit(first, kept=True) is True
    assert store.commit(first, kept=True) is False
    assert store.commit(second, kept=False) is False
    assert list(store.trajectories("run")) == [first]
    assert store.counts("run") == Counts(finished=1, kept=1, succeeded=1, failed=0)


def test_a_store_outlives_its_process(place: str) -> None:
    trajectory = make_trajectory()
    with TrajectoryStore(place) as store:
        store.commit(trajectory, kept=True)
    with TrajectoryStore(place) as store:
        assert list(store.trajectories("run")) == [trajectory]
        assert store.trajectory("run", "find-plant/1") == trajectory
        assert store.trajectory("run", "find-plant/1", attempt=1) is None


@settings(max_examples=40)
@given(trajectories())
def test_any_trajectory_comes_back_unchanged(open_empty: Callable[[], TrajectoryStore], trajectory: Trajectory) -> None:
    with open_empty() as store:
        store.commit(trajectory, kept=True)
        assert list(store.trajectories(trajectory.run)) == [trajectory]
        assert store.finished(trajectory.run) == {(trajectory.task.id, 0)}


@pytest.mark.parametrize(
    "unreadable",
    [
        make_trajectory().model_copy(update={"id": ""}),
        make_trajectory().model_copy(update={"observation": "changed after it was sealed"}),
        make_trajectory().model_copy(update={"observation": "half a character: \ud83d"}),
        make_trajectory().model_copy(update={"seed": 2**70}),
    ],
)
def test_what_could_not_be_read_back_is_refused(store: TrajectoryStore, unreadable: Trajectory) -> None:
    with refusal("invalid_trajectory"):
        store.commit(unreadable, kept=True)
    assert store.finished("run") == set()


@given(
    st.lists(st.tuples(st.sampled_from(["a/2", "a/10", "B/1", "é/1", "a-b/1"]), st.integers(0, 3)), unique=True, max_size=12)
)
@settings(max_examples=20)
def test_order_is_by_task_attempt_and_run_however_work_finished(
    open_empty: Callable[[], TrajectoryStore], units: list[tuple[str, int]]
) -> None:
    with open_empty() as store:
        for task_id, attempt in units:
            for run in ("two", "one"):
                store.commit(make_trajectory(task_id, run=run, seed=attempt), attempt=attempt, kept=True)
        read = [(trajectory.task.id, trajectory.seed, trajectory.run) for trajectory in store.trajectories(["two", "one"])]
        assert read == sorted((task_id, attempt, run) for task_id, attempt in units for run in ("one", "two"))


def test_kept_selects(store: TrajectoryStore) -> None:
    for index in range(150):
        store.commit(make_trajectory(f"a/{index:03}", success=index % 3 == 0), kept=index % 2 == 0)
    seeds = {kept: [t.task.id for t in store.trajectories("run", kept=kept)] for kept in (True, False, None)}
    assert seeds[True] == [f"a/{index:03}" for index in range(0, 150, 2)]
    assert seeds[False] == [f"a/{index:03}" for index in range(1, 150, 2)]
    assert seeds[None] == [f"a/{index:03}" for index in range(150)]
    assert store.counts("run") == Counts(finished=150, kept=75, succeeded=50, failed=0)


def test_reading_is_a_snapshot_and_holds_no_lock(store: TrajectoryStore) -> None:
    for index in range(3):
        store.commit(make_trajectory(f"a/{index}"), kept=True)
    reader = store.trajectories("run")
    assert next(reader).task.id == "a/0"
    store.commit(make_trajectory("a/1b"), kept=True)
    assert [trajectory.task.id for trajectory in reader] == ["a/1", "a/2"]


def test_units_tell_without_documents(store: TrajectoryStore) -> None:
    trajectory = make_trajectory("b/1", success=False, score=0.25, ended="truncated")
    store.commit(trajectory, attempt=2, kept=False)
    store.commit(make_trajectory("a/1"), kept=True)
    first, second = store.units("run")
    assert (first.task_id, second.task_id) == ("a/1", "b/1")
    assert (second.attempt, second.kept, second.success, second.score, second.ended) == (2, False, False, 0.25, "truncated")
    assert (second.trajectory_id, second.split, second.type, second.steps) == (trajectory.id, "train", "find-plant", 2)


# --- failures ----------------------------------------------------------------------------------------------------


def test_failures_keep_cause_and_tries(store: TrajectoryStore) -> None:
    store.fail("run", "a/2", 0, RestepError("engine_lost", "the engine died"))
    store.fail("run", "a/2", 0, RestepError("timeout", "too slow"))
    store.fail("run", "a/1", 3, RestepError("internal", "what"))
    assert store.finished("run") == set()
    assert store.counts("run") == Counts(finished=0, kept=0, succeeded=0, failed=2)
    first, second = store.failures("run")
    assert (first.task_id, first.attempt, first.code, first.tries) == ("a/1", 3, "internal", 1)
    assert (second.task_id, second.code, second.detail, second.tries) == ("a/2", "timeout", "too slow", 2)
    assert second.first_failed <= second.last_failed
    assert store.failures("other") == []
    assert store.runs() == ["run"]


def test_any_cause_can_be_recorded(store: TrajectoryStore) -> None:
    store.fail("run", "a/1", 0, RestepError("internal", "half a character \ud83d and a \0"))
    assert store.failures("run")[0].detail == "half a character ? and a \ufffd"


def test_a_failure_that_was_made_good_stays_on_record(store: TrajectoryStore) -> None:
    store.fail("run", "a/1", 0, RestepError("internal"))
    store.commit(make_trajectory("a/1"), kept=True)
    assert [failure.resolved for failure in store.failures("run")] == [True]
    assert store.counts("run").failed == 0


# --- several writers, and kills ----------------------------------------------------------------------------------


async def test_threads_share_a_store(store: TrajectoryStore) -> None:
    async def write(index: int) -> bool:
        # Two tasks race for every unit; exactly one of them stores it.
        return await asyncio.to_thread(store.commit, make_trajectory(f"a/{index // 2}"), kept=True)

    stored = await asyncio.gather(*(write(index) for index in range(80)))
    assert sum(stored) == 40
    assert len(store.finished("run")) == 40


def _open_and_commit(place: str, worker: int) -> None:
    with TrajectoryStore(place) as store:
        for index in range(10):
            store.commit(make_trajectory(f"w{worker}/{index}"), kept=True)
            store.fail("run", "shared/1", 0, RestepError("internal"))


def test_processes_create_and_write_one_store_together(place: str) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_open_and_commit, args=(place, worker)) for worker in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    with TrajectoryStore(place) as store:
        assert len(store.finished("run")) == 40
        assert [failure.tries for failure in store.failures("run")] == [40]


_COMMIT_FOR_EVER = """
import sys
from tests.support.documents import make_trajectory
from shared.store import TrajectoryStore
store = TrajectoryStore(sys.argv[1])
for index in range(int(sys.argv[2]), 10**9):
    store.commit(make_trajectory(f"a/{index:06}"), kept=True)
    sys.stdout.write(f"{index}\\n")
    sys.stdout.flush()
"""


def test_kill_9_loses_at_most_the_episode_in_flight(place: str) -> None:
    start = 0
    for lines in (1, 7, 20):
        process = subprocess.Popen(
            [sys.executable, "-c", _COMMIT_FOR_EVER, place, str(start)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        reported = [int(process.stdout.readline()) for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        # What it said between our last read and its end counts as reported too; the pipe may hold half a line.
        rest, _ = process.communicate()
        reported += [int(line) for line in rest.split("\n")[:-1]]
        assert process.returncode == -signal.SIGKILL
        with TrajectoryStore(place) as store:
            kept = [trajectory.task.id for trajectory in store.trajectories("run")]
            assert store.finished("run") == {(task_id, 0) for task_id in kept}
        said = [f"a/{index:06}" for index in range(reported[-1] + 1)]
        assert kept in (said, [*said, f"a/{len(said):06}"])
        start = len(kept)
