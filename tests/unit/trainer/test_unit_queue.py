import asyncio

from shared.errors import RestepError
from shared.store import TrajectoryStore
from tests.support.documents import make_trajectory
from trainer.unit_queue import UnitQueue

UNITS = [(f"a/{index}", 0) for index in range(5)]


def queue(store: TrajectoryStore, slots: int = 2, seconds: float = 60.0) -> UnitQueue:
    return UnitQueue(store, "run", slots=slots, tries=2, seconds=seconds)


async def test_no_more_is_held_than_is_played_and_the_rest_is_others(store: TrajectoryStore) -> None:
    async with queue(store) as one, queue(store, slots=3) as other:
        await one.plan(UNITS)
        assert [await one.next(), await one.next()] == UNITS[:2]
        assert [await other.next() for _ in range(3)] == UNITS[2:]
        assert await one.finish(UNITS[0], make_trajectory("a/0"), kept=True)
        assert store.unfinished("run") == 4


async def test_what_is_held_at_the_end_is_given_back(store: TrajectoryStore) -> None:
    async with queue(store) as interrupted:
        await interrupted.plan(UNITS)
        assert await interrupted.next() == UNITS[0]
    async with queue(store, slots=5) as other:
        assert [await other.next() for _ in UNITS] == UNITS


async def test_nothing_is_left_once_all_is_finished_or_given_up(store: TrajectoryStore) -> None:
    async with queue(store, slots=1) as only:
        await only.plan(UNITS[:2])
        assert await only.next() == UNITS[0]
        assert await only.fail(UNITS[0], RestepError("timeout")) == 1
        assert await only.next() == UNITS[1]
        assert await only.finish(UNITS[1], make_trajectory("a/1"), kept=True)
        assert await only.next() == UNITS[0]
        assert await only.fail(UNITS[0], RestepError("timeout")) == 2
        assert await only.next() is None


async def test_a_unit_that_was_taken_over_is_the_other_ones(store: TrajectoryStore) -> None:
    async with queue(store, slots=1, seconds=0.05) as silent, queue(store, slots=1) as other:
        await silent.plan(UNITS[:1])
        assert await silent.next() == UNITS[0]
        await asyncio.sleep(0.1)
        assert await other.next() == UNITS[0]
        assert await silent.fail(UNITS[0], RestepError("timeout")) == 0
        assert await silent.finish(UNITS[0], make_trajectory("a/0"), kept=True) is False
        assert await other.finish(UNITS[0], make_trajectory("a/0"), kept=True) is True
        assert await silent.next() is None


async def test_a_heartbeat_keeps_what_is_held(store: TrajectoryStore) -> None:
    async with queue(store, slots=1, seconds=2.0) as slow:
        await slow.plan(UNITS[:1])
        await slow.next()
        heart = asyncio.create_task(slow.keep())
        await asyncio.sleep(3.0)
        assert store.claim("run", "elsewhere|1|1|other", 1, 60) == []
        heart.cancel()
        await asyncio.sleep(2.5)
        assert store.claim("run", "elsewhere|1|1|other", 1, 60) == UNITS[:1]
