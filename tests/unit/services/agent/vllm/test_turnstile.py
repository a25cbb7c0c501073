"""Admission to a server."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.agent.vllm.turnstile import Turnstile
from shared.errors import RestepError


async def stay(turnstile: Turnstile, leave: asyncio.Event, log: list[str], name: str) -> None:
    async with turnstile.turn():
        log.append(f"{name} in")
        await leave.wait()
    log.append(f"{name} out")


async def test_nobody_is_inside_while_it_is_closed() -> None:
    turnstile, leave, log = Turnstile(8), asyncio.Event(), list[str]()
    early = asyncio.create_task(stay(turnstile, leave, log, "early"))
    await asyncio.sleep(0)

    async def work() -> None:
        async with turnstile.closed():
            assert turnstile.inside == 0
            log.append("work begins")
            await asyncio.sleep(0.01)
            log.append("work ends")

    working = asyncio.create_task(work())
    await asyncio.sleep(0)
    late = asyncio.create_task(stay(turnstile, leave, log, "late"))
    await asyncio.sleep(0)
    assert log == ["early in"], "the work waits for whom it finds, newcomers wait for the work"
    leave.set()
    await asyncio.gather(early, working, late)
    assert log == ["early in", "early out", "work begins", "work ends", "late in", "late out"]


async def test_it_opens_again_when_the_work_fails() -> None:
    turnstile = Turnstile(1)
    with pytest.raises(ValueError, match="work"):
        async with turnstile.closed():
            raise ValueError("work")
    async with turnstile.turn():
        assert turnstile.inside == 1


async def test_over_the_limit_clients_are_told_to_come_again() -> None:
    turnstile, leave = Turnstile(2), asyncio.Event()
    tasks = [asyncio.create_task(stay(turnstile, leave, [], str(n))) for n in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(RestepError, match="queue_full") as refused:
        async with turnstile.turn():
            pass
    assert refused.value.retry_after
    leave.set()
    await asyncio.gather(*tasks)


@given(limit=st.integers(1, 5), cancelled=st.lists(st.booleans(), max_size=8))
def test_whoever_leaves_makes_room(limit: int, cancelled: list[bool]) -> None:
    async def run() -> None:
        turnstile, leave = Turnstile(limit), asyncio.Event()
        for cancel in cancelled:
            task = asyncio.create_task(stay(turnstile, leave, [], "guest"))
            await asyncio.sleep(0)
            if cancel:
                task.cancel()
            leave.set()
            await asyncio.gather(task, return_exceptions=True)
            leave.clear()
        assert turnstile.inside == 0
        await turnstile.emptied()
        leave.set()
        await asyncio.gather(*(stay(turnstile, leave, [], "guest") for _ in range(limit)))

    asyncio.run(run())
