"""Work on many things at once, a bounded number at a time, that fails as work on one thing does.

The first failure ends what runs beside it and is raised itself: whoever calls looks for a :class:`RestepError`, not
for a group of them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from shared.errors import RestepError
from trainer.progress import Progress, Report

Item = TypeVar("Item")


@asynccontextmanager
async def task_group() -> AsyncGenerator[asyncio.TaskGroup]:
    """An :class:`asyncio.TaskGroup` that raises the first :class:`RestepError` among its failures in their place."""
    first: RestepError | None = None
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except* RestepError as failures:
        first = _first(failures)
    if first is not None:  # raised here, because some versions of Python wrap again what is raised within except*
        raise first from None


async def for_each(
    items: Sequence[Item],
    work: Callable[[Item], Awaitable[object]],
    *,
    concurrency: int,
    found: int = 0,
    report: Report | None = None,
) -> None:
    """Await ``work`` on every item, begun in their order, at most ``concurrency`` at a time.

    ``report`` is told after each; ``found`` counts what was done before. Raises the first :class:`RestepError` of
    ``work``; other failures come as an :class:`ExceptionGroup`.
    """
    todo, began, finished = iter(items), time.monotonic(), 0

    async def worker() -> None:
        nonlocal finished
        for item in todo:
            await work(item)
            finished += 1
            if report is not None:
                elapsed = time.monotonic() - began
                report(Progress(found + len(items), found, finished, succeeded=None, failed=0, elapsed=elapsed))

    async with task_group() as group:
        for _ in range(min(concurrency, len(items))):
            group.create_task(worker())


def _first(failures: BaseExceptionGroup[RestepError]) -> RestepError:
    inner = failures.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner
