from __future__ import annotations

import asyncio

import pytest

from services.envserver.patience import within


async def test_what_never_suspends_is_answered_at_once() -> None:
    async def inline() -> str:
        return "done"

    assert await within(0.0, inline()) == "done"


async def test_what_suspends_goes_on_where_it_was() -> None:
    seen: list[str] = []

    async def several() -> str:
        seen.append("before")
        await asyncio.sleep(0)
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_result, "set")
        seen.append(await future)
        await asyncio.sleep(0.001)
        return "done"

    assert await within(10, several()) == "done"
    assert seen == ["before", "set"]


async def test_an_exception_comes_through_from_either_side_of_a_suspension() -> None:
    async def fails(pause: bool) -> None:
        if pause:
            await asyncio.sleep(0)
        raise LookupError("inside")

    for pause in (False, True):
        with pytest.raises(LookupError, match="inside"):
            await within(10, fails(pause))


async def test_an_awaited_failure_can_be_handled_inside() -> None:
    async def handles() -> str:
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_exception, LookupError("late"))
        try:
            await future
        except LookupError:
            return "handled"
        return "not raised"

    assert await within(10, handles()) == "handled"


async def test_too_long_is_cancelled_and_told() -> None:
    cleaned: list[bool] = []

    async def hangs() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(True)

    with pytest.raises(TimeoutError):
        await within(0.01, hangs())
    assert cleaned == [True]


async def test_a_cancelled_caller_cancels_inside() -> None:
    cleaned: list[bool] = []

    async def hangs() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(True)

    task = asyncio.create_task(within(60, hangs()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaned == [True]


async def test_tasks_and_threads_inside_work() -> None:
    async def inside() -> int:
        return await asyncio.create_task(asyncio.sleep(0.001, 1)) + await asyncio.to_thread(lambda: 2)

    assert await within(10, inside()) == 3
