"""Waiting with a limit that costs nothing when there is no wait.

An inline engine answers without suspending; a timer for each of its steps would cost as much as the step.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")


async def within(seconds: float, coroutine: Coroutine[Any, Any, T]) -> T:
    """The coroutine's result. Raises TimeoutError (and cancels it) when it suspends for longer than ``seconds``."""
    try:
        awaited = coroutine.send(None)
    except StopIteration as finished:
        return finished.value
    async with asyncio.timeout(seconds):
        return await _resume(coroutine, awaited)


@types.coroutine
def _resume(coroutine: Coroutine[Any, Any, T], awaited: Any) -> Generator[Any, Any, T]:
    """Go on with a coroutine that was run up to its first suspension, where it waits for ``awaited``."""
    while True:
        try:
            try:
                sent = yield awaited
            except BaseException as error:  # noqa: BLE001 - a cancellation or a failure, for the coroutine to see
                awaited = coroutine.throw(error)
            else:
                awaited = coroutine.send(sent)
        except StopIteration as finished:
            return finished.value
