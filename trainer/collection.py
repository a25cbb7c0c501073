"""Many episodes at once, none of them twice: the loop under golden collection, reflection and evaluation.

The unit of work is (run, task, attempt). What the store holds is done, everything else is to do; a finished unit is
committed before the next is begun in its place, so a kill at any moment costs the episodes in flight and nothing else.
Nothing random depends on when a unit is played or beside which others (see :func:`unit_seed`), so that a resumed
collection holds what an unbroken one would.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import Field

from shared.errors import RestepError
from shared.protocol import TaskInfo
from shared.store import TrajectoryStore
from shared.trajectory import Trajectory
from trainer.concurrency import task_group
from trainer.options import Options
from trainer.progress import Progress, Report

log = logging.getLogger(__name__)

SYSTEMIC: Final = frozenset(
    {
        "unauthorized",
        "expert_disabled",
        "not_supported",
        "invalid_option",
        "unknown_task",
        "unknown_model",
        "checkpoint_not_found",
        "unreachable",
        "route_not_found",
        "protocol_violation",
        "missing_extra",
        "invalid_recipe",
        "store_failed",
        "budget_exhausted",
    }
)
"""Failures that every further unit would meet too: the collection stops at the first instead of failing them all."""


class CollectionConfig(Options):
    """How a list of tasks is worked through."""

    concurrency: int = Field(default=24, ge=1, description="episodes in flight")
    attempts: int = Field(default=1, ge=1, description="episodes of each task")
    tries: int = Field(default=3, ge=1, description="how often a failing episode is tried in all, restarts included")


@dataclass(frozen=True, slots=True)
class Episode:
    """A unit to play: ``attempt`` counts from 0."""

    run: str
    task: TaskInfo
    attempt: int


@dataclass(frozen=True, slots=True)
class Played:
    """A finished unit, and whether it is for training."""

    trajectory: Trajectory
    kept: bool


@dataclass(frozen=True, slots=True)
class Collected:
    """What a run holds of the tasks asked for. ``failed`` units were given up; their causes are in the store."""

    run: str
    total: int
    found: int
    finished: int
    kept: int
    succeeded: int
    failed: int
    seconds: float


Play = Callable[[Episode], Awaitable[Played]]


def unit_seed(seed: int, task_id: str, attempt: int, step: int) -> int:
    """The seed of one sampling: 31 bits of a SHA-256 over what determines it, and nothing else."""
    digest = hashlib.sha256(f"{seed}\0{task_id}\0{attempt}\0{step}".encode()).digest()
    return int.from_bytes(digest[:4]) >> 1


async def collect(
    run: str,
    tasks: Sequence[TaskInfo],
    play: Play,
    store: TrajectoryStore,
    config: CollectionConfig,
    report: Report | None = None,
) -> Collected:
    """Play every (task, attempt) that ``run`` lacks, at most ``config.concurrency`` at a time.

    A unit that fails with a :class:`RestepError` is recorded with its cause and tried again at the end, ``config.tries``
    times in all. Raises the error itself when it is one of :data:`SYSTEMIC`, and whatever else ``play`` raises; what
    was finished stays.
    """
    work = _Work(run, tasks, play, store, config, report)
    await work.survey()
    async with task_group() as group:
        for _ in range(min(config.concurrency, len(work.todo))):
            group.create_task(work.worker())
    return work.summary()


class _Work:
    """One call of :func:`collect`: the queue, the counters and the workers that share them."""

    def __init__(
        self,
        run: str,
        tasks: Sequence[TaskInfo],
        play: Play,
        store: TrajectoryStore,
        config: CollectionConfig,
        report: Report | None,
    ) -> None:
        self._run, self._play, self._store, self._config, self._report = run, play, store, config, report
        self._units = {(task.id, attempt): Episode(run, task, attempt) for attempt, task in _rounds(tasks, config.attempts)}
        self._tries: dict[tuple[str, int], int] = {}
        self._began = time.monotonic()
        self.todo: list[Episode] = []
        self._found = self._finished = self._succeeded = self._kept = self._failed = 0

    async def survey(self) -> None:
        """What is done, what failed before and how often, and so what is to do."""
        done = {
            (unit.task_id, unit.attempt): unit
            for unit in await asyncio.to_thread(self._store.units, self._run)
            if (unit.task_id, unit.attempt) in self._units
        }
        self._found = len(done)
        self._succeeded = sum(unit.success for unit in done.values())
        self._kept = sum(unit.kept for unit in done.values())
        for failure in await asyncio.to_thread(self._store.failures, self._run):
            self._tries[failure.task_id, failure.attempt] = failure.tries
        missing = [unit for key, unit in self._units.items() if key not in done]
        self.todo = [unit for unit in missing if self._may_try(unit)]
        self._failed = len(missing) - len(self.todo)
        self.todo.reverse()
        self._tell()

    async def worker(self) -> None:
        """Play one unit after the other until none is left."""
        while self.todo:
            unit = self.todo.pop()
            try:
                played = await self._play(unit)
            except RestepError as error:
                await self._fail(unit, error)
            else:
                await self._commit(unit, played)
            self._tell()

    async def _commit(self, unit: Episode, played: Played) -> None:
        await asyncio.to_thread(self._store.commit, played.trajectory, attempt=unit.attempt, kept=played.kept)
        self._finished += 1
        self._succeeded += played.trajectory.outcome.success
        self._kept += played.kept

    async def _fail(self, unit: Episode, error: RestepError) -> None:
        if error.code in SYSTEMIC:
            raise error
        log.warning("%s, attempt %d: %s", unit.task.id, unit.attempt, error)
        await asyncio.to_thread(self._store.fail, self._run, unit.task.id, unit.attempt, error)
        self._tries[unit.task.id, unit.attempt] = self._tries.get((unit.task.id, unit.attempt), 0) + 1
        if self._may_try(unit):
            self.todo.insert(0, unit)
        else:
            self._failed += 1

    def _may_try(self, unit: Episode) -> bool:
        return self._tries.get((unit.task.id, unit.attempt), 0) < self._config.tries

    def _tell(self) -> None:
        if self._report is not None:
            elapsed = time.monotonic() - self._began
            progress = Progress(len(self._units), self._found, self._finished, self._succeeded, self._failed, elapsed)
            self._report(progress)

    def summary(self) -> Collected:
        """The run as it stands at the end."""
        return Collected(
            run=self._run,
            total=len(self._units),
            found=self._found,
            finished=self._finished,
            kept=self._kept,
            succeeded=self._succeeded,
            failed=self._failed,
            seconds=time.monotonic() - self._began,
        )


def _rounds(tasks: Iterable[TaskInfo], attempts: int) -> Iterator[tuple[int, TaskInfo]]:
    """Every task once before any is played again."""
    tasks = list(tasks)
    return ((attempt, task) for attempt in range(attempts) for task in tasks)
