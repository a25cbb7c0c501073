import asyncio
from collections import Counter
from pathlib import Path

import pytest

from shared.errors import RestepError
from shared.protocol import TaskInfo
from shared.store import TrajectoryStore
from shared.trajectory import TaskStamp, Trajectory
from tests.support.trajectories import Said, trajectory
from tests.support.waiting import until
from trainer.collection import Collected, CollectionConfig, Episode, Played, collect, unit_seed
from trainer.progress import Progress

TASKS = [TaskInfo(id=f"boil/{i}", split="train", type="boil") for i in range(7)]
BLANK = trajectory([Said("golden", "Thought: t\nAction: look around")])


def played(unit: Episode) -> Played:
    stamp = TaskStamp(id=unit.task.id, split=unit.task.split, type=unit.task.type, goal="g")
    document = BLANK.model_copy(update={"run": unit.run, "task": stamp, "seed": unit.attempt})
    return Played(Trajectory.model_validate(document.model_dump()).sealed(), kept=unit.attempt == 0)


class Recorder:
    """Plays soon, and notes what it was asked; ``failing`` says how often a task fails before it does not."""

    def __init__(self, failing: dict[str, int] | None = None, code: str = "engine_lost", seconds: float = 0.01) -> None:
        self.asked: Counter[tuple[str, int]] = Counter()
        self.failing = dict(failing or {})
        self.code = code
        self.seconds = seconds
        self.now = self.peak = 0

    async def __call__(self, unit: Episode) -> Played:
        self.asked[unit.task.id, unit.attempt] += 1
        self.now += 1
        self.peak = max(self.peak, self.now)
        await asyncio.sleep(self.seconds)
        self.now -= 1
        if self.failing.get(unit.task.id, 0):
            self.failing[unit.task.id] -= 1
            raise RestepError(self.code, "as told")
        return played(unit)


@pytest.fixture
def store(tmp_path: Path) -> TrajectoryStore:
    return TrajectoryStore(tmp_path / "store.db")


async def run(store: TrajectoryStore, play: Recorder, tasks: list[TaskInfo] = TASKS, **options: float) -> Collected:
    return await collect("r", tasks, play, store, CollectionConfig.model_validate(options))


async def test_every_attempt_at_every_task_is_played_once_and_committed(store: TrajectoryStore) -> None:
    play = Recorder()
    collected = await run(store, play, attempts=2, concurrency=3)
    assert play.asked == {(task.id, attempt): 1 for task in TASKS for attempt in (0, 1)}
    assert store.finished("r") == set(play.asked)
    assert (collected.total, collected.finished, collected.kept, collected.failed) == (14, 14, 7, 0)
    assert play.peak == 3


async def test_what_the_store_holds_is_not_played_again(store: TrajectoryStore) -> None:
    await run(store, Recorder(), TASKS[:3])
    play = Recorder()
    collected = await run(store, play)
    assert set(play.asked) == {(task.id, 0) for task in TASKS[3:]}
    assert (collected.found, collected.finished, collected.kept, collected.succeeded) == (3, 4, 7, 7)


async def test_a_failure_is_recorded_with_its_cause_and_tried_again(store: TrajectoryStore) -> None:
    play = Recorder({"boil/1": 2, "boil/2": 99})
    collected = await run(store, play, tries=3)
    assert play.asked["boil/1", 0] == 3
    assert play.asked["boil/2", 0] == 3
    assert (collected.finished, collected.failed) == (6, 1)
    failures = {failure.task_id: failure for failure in store.failures("r")}
    assert (failures["boil/1"].tries, failures["boil/1"].resolved) == (2, True)
    assert (failures["boil/2"].tries, failures["boil/2"].code, failures["boil/2"].detail) == (3, "engine_lost", "as told")


async def test_tries_are_counted_over_restarts_and_more_may_be_granted(store: TrajectoryStore) -> None:
    await run(store, Recorder({"boil/2": 99}), tries=2)
    play = Recorder()
    assert (await run(store, play, tries=2)).failed == 1
    assert not play.asked
    assert (await run(store, play, tries=3)).failed == 0
    assert play.asked == {("boil/2", 0): 1}


async def test_a_failure_that_all_units_share_stops_the_collection_and_keeps_what_is_finished(store: TrajectoryStore) -> None:
    play = Recorder({"boil/4": 99}, code="expert_disabled")
    with pytest.raises(RestepError, match="expert_disabled"):
        await run(store, play, concurrency=1)
    assert store.finished("r") == {(f"boil/{i}", 0) for i in range(4)}
    assert store.failures("r") == []


async def test_a_cancelled_collection_keeps_what_is_finished(store: TrajectoryStore) -> None:
    held = asyncio.Event()

    async def play(unit: Episode) -> Played:
        if unit.task.id == "boil/5":
            held.set()
            await asyncio.sleep(3600)
        return played(unit)

    collecting = asyncio.create_task(collect("r", TASKS, play, store, CollectionConfig(concurrency=1)))
    await held.wait()
    collecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await collecting
    assert store.finished("r") == {(f"boil/{i}", 0) for i in range(5)}
    play_rest = Recorder()
    await run(store, play_rest)
    assert set(play_rest.asked) == {("boil/5", 0), ("boil/6", 0)}


async def test_collectors_of_one_run_share_its_units_and_end_together(store: TrajectoryStore) -> None:
    plays = [Recorder({"boil/2": 1}) for _ in range(3)]
    collected = await asyncio.gather(*(run(store, play, attempts=3, concurrency=2) for play in plays))
    assert sum((play.asked for play in plays), Counter[tuple[str, int]]()) == Counter(
        {(task.id, attempt): 1 for task in TASKS for attempt in range(3)}
    ) + Counter({(failure.task_id, failure.attempt): failure.tries for failure in store.failures("r")})
    assert [(one.found + one.finished, one.kept, one.failed) for one in collected] == [(21, 7, 0)] * 3
    assert sum(one.finished for one in collected) == 21


async def test_who_has_nothing_to_do_waits_for_what_others_leave(store: TrajectoryStore) -> None:
    slow, quick = Recorder({"boil/0": 1}, seconds=1.0), Recorder()
    slow_one = asyncio.create_task(run(store, slow, TASKS[:1], concurrency=1, tries=2))
    await until(lambda: slow.now)
    collected = await run(store, quick, TASKS[:1], lease_seconds=0.2)
    assert slow.asked["boil/0", 0] + quick.asked["boil/0", 0] == 2
    assert (collected.found + collected.finished, collected.failed) == (1, 0)
    assert (await slow_one).failed == 0


async def test_an_episode_may_last_longer_than_its_lease(store: TrajectoryStore) -> None:
    slow, quick = Recorder(seconds=2.5), Recorder()
    collecting = asyncio.create_task(run(store, slow, TASKS[:1], lease_seconds=1.0))
    await until(lambda: slow.now)
    assert (await run(store, quick, TASKS[:1], lease_seconds=1.0)).found == 1
    assert not quick.asked
    assert (await collecting).finished == 1


async def test_units_of_a_collector_that_fell_silent_are_taken_over(store: TrajectoryStore) -> None:
    store.plan("r", [(task.id, 0) for task in TASKS])
    lost = store.claim("r", "elsewhere|1|1|gone", 3, 0.5)
    play = Recorder()
    assert (await run(store, play)).finished == 7
    assert play.asked == {(task.id, 0): 1 for task in TASKS}
    assert store.fail("r", *lost[0], RestepError("timeout"), owner="elsewhere|1|1|gone") == 0


async def test_a_run_is_not_shared_with_one_of_other_tasks(store: TrajectoryStore) -> None:
    slow = Recorder(seconds=3600)
    collecting = asyncio.create_task(run(store, slow, TASKS[:3]))
    await until(lambda: slow.now == 3)
    with pytest.raises(RestepError, match="invalid_recipe"):
        await run(store, Recorder(), TASKS[3:])
    collecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await collecting
    assert (await run(store, Recorder(), TASKS[3:])).finished == 4


async def test_progress_is_reported_from_the_start_to_the_end(store: TrajectoryStore) -> None:
    await run(store, Recorder(), TASKS[:2])
    seen: list[Progress] = []
    play = Recorder({"boil/6": 99})
    await collect("r", TASKS, play, store, CollectionConfig(tries=1), seen.append)
    assert (seen[0].found, seen[0].completed, seen[0].total) == (2, 2, 7)
    assert seen[-1].completed == 7
    assert (seen[-1].failed, seen[-1].success) == (1, 1.0)
    assert [one.completed for one in seen] == sorted(one.completed for one in seen)


def test_a_seed_depends_on_run_seed_task_attempt_and_step_and_on_nothing_else() -> None:
    assert unit_seed(1, "boil/3", 0, 4) == unit_seed(1, "boil/3", 0, 4) == 2053750919
    seeds = {unit_seed(s, t, a, n) for s in (0, 1) for t in ("a/1", "a/11") for a in (0, 1) for n in range(50)}
    assert len(seeds) == 400
    assert all(0 <= seed < 2**31 for seed in seeds)
