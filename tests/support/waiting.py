"""Wait for what a test cannot be told of; the test's own time limit ends a wait in vain."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


async def until(condition: Callable[[], object]) -> None:
    """Return once ``condition()`` is true."""
    while not condition():  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0.001)


async def until_true(condition: Callable[[], Awaitable[bool]]) -> None:
    """Return once ``await condition()`` is true."""
    while not await condition():  # noqa: ASYNC110 - the same
        await asyncio.sleep(0.01)
