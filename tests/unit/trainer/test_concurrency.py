from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import RestepError
from trainer.concurrency import for_each, task_group
from trainer.progress import Progress


async def fail(detail: str) -> None:
    raise RestepError("replay_diverged", detail)


@given(st.lists(st.integers(1, 5)), st.integers(1, 8), st.integers(0, 9))
async def test_everything_is_done_once_in_order_and_never_more_at_a_time_than_allowed(
    turns: list[int], concurrency: int, found: int
) -> None:
    begun: list[int] = []
    running = most = 0
    told: list[Progress] = []

    async def work(number: int) -> None:
        nonlocal running, most
        begun.append(number)
        running += 1
        most = max(most, running)
        for _ in range(turns[number]):
            await asyncio.sleep(0)
        running -= 1

    await for_each(range(len(turns)), work, concurrency=concurrency, found=found, report=told.append)
    assert begun == list(range(len(turns)))
    assert most == min(concurrency, len(turns))
    total = found + len(turns)
    assert [(one.completed, one.total, one.success) for one in told] == [
        (found + n + 1, total, None) for n in range(len(turns))
    ]


async def test_the_first_failure_ends_the_others_and_nothing_more_is_begun() -> None:
    begun: list[int] = []
    ended: list[int] = []

    async def work(number: int) -> None:
        begun.append(number)
        if number == 1:
            await fail("one")
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(number)

    with pytest.raises(RestepError, match="one"):
        await for_each(range(9), work, concurrency=3)
    assert (begun, sorted(ended)) == ([0, 1, 2], [0, 2])


async def test_a_failure_inside_groups_of_failures_is_found() -> None:
    async def nested() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail("deep"))

    async def block() -> None:
        async with task_group() as group:
            group.create_task(nested())

    with pytest.raises(RestepError, match="deep") as caught:
        await block()
    assert caught.value.__suppress_context__


async def test_a_failure_of_the_block_itself_is_raised() -> None:
    async def block() -> None:
        async with task_group() as group:
            group.create_task(asyncio.sleep(60))
            await fail("own")

    with pytest.raises(RestepError, match="own"):
        await block()


async def test_what_is_no_failure_of_ours_is_not_taken_for_one() -> None:
    async def work(number: int) -> None:
        raise ZeroDivisionError(number)

    with pytest.raises(ExceptionGroup) as caught:
        await for_each([1], work, concurrency=1)
    assert [type(error) for error in caught.value.exceptions] == [ZeroDivisionError]


async def test_a_cancellation_reaches_the_work() -> None:
    ended: list[int] = []

    async def work(number: int) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(number)

    whole = asyncio.create_task(for_each([1, 2], work, concurrency=2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    whole.cancel()
    with pytest.raises(asyncio.CancelledError):
        await whole
    assert sorted(ended) == [1, 2]
