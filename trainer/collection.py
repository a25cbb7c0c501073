"""Many episodes at once, none of them twice: the loop under golden collection, reflection and evaluation.

The unit of work is (run, task, attempt). What the store holds is done, everything else is to do, by this process and
any other that collects the same (:mod:`trainer.unit_queue`); a finished unit is committed before the next is begun in
its place, so a kill at any moment costs the episodes in flight and nothing else. Nothing random depends on when, where
or beside which others a unit is played (see :func:`unit_seed`), so that a resumed or shared collection holds what an
unbroken one would.
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
from shared.store import TrajectoryStore, UnitKey
from shared.trajectory import Trajectory
from trainer.concurrency import task_group
from trainer.options import Options
from trainer.progress import Progress, Report
from trainer.unit_queue import UnitQueue

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
        "servers_differ",
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
    lease_seconds: float = Field(
        default=60.0, gt=0, description="without a sign of life for so long, a process elsewhere loses its episodes to others"
    )


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
    """What a run holds of the tasks asked for.

    ``found`` units are there by an earlier start or another process, ``finished`` ones by this. ``failed`` units were
    given up; their causes are in the store.
    """

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
    times in all. Other processes that collect the same run share the work; each returns when all of it is finished or
    given up. Raises the error itself when it is one of :data:`SYSTEMIC`, and whatever else ``play`` raises; what was
    finished stays. Raises ``invalid_recipe`` where another process is at work on other tasks of this run.
    """
    work = _Work(run, tasks, play, store, config, report)
    await work.look()
    while work.left:
        slots = min(config.concurrency, work.left)
        async with UnitQueue(store, run, slots=slots, tries=config.tries, seconds=config.lease_seconds) as queue:
            await queue.plan(work.keys)
            async with task_group() as group:
                heart = group.create_task(queue.keep())
                async with task_group() as players:
                    for _ in range(slots):
                        players.create_task(work.player(queue))
                heart.cancel()
        await work.look()
    return work.summary()


class _Work:
    """One call of :func:`collect`: what there is to play, the counters, and the players that share them."""

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
        self._began = time.monotonic()
        self._done: dict[UnitKey, bool] = {}  # finished units, and whether they reached the goal
        self._kept = self._finished = self._failed = 0

    @property
    def keys(self) -> list[UnitKey]:
        """All units, in the order in which they are played."""
        return list(self._units)

    @property
    def left(self) -> int:
        """How many are neither finished nor given up."""
        return len(self._units) - len(self._done) - self._failed

    async def look(self) -> None:
        """What the store holds: what is done, and what failed so often that it was given up."""
        units = await asyncio.to_thread(self._store.units, self._run)
        done = [unit for unit in units if (unit.task_id, unit.attempt) in self._units]
        self._done = {(unit.task_id, unit.attempt): unit.success for unit in done}
        self._kept = sum(unit.kept for unit in done)
        failures = await asyncio.to_thread(self._store.failures, self._run)
        tries = {(failure.task_id, failure.attempt): failure.tries for failure in failures}
        self._failed = sum(tries.get(unit, 0) >= self._config.tries for unit in self._units if unit not in self._done)
        self._tell()

    async def player(self, queue: UnitQueue) -> None:
        """Play one unit after the other until none is left."""
        while (key := await queue.next()) is not None:
            try:
                played = await self._play(self._units[key])
            except RestepError as error:
                await self._fail(queue, key, error)
            else:
                if await queue.finish(key, played.trajectory, kept=played.kept):
                    self._finished += 1
                    self._done[key] = played.trajectory.outcome.success
            self._tell()

    async def _fail(self, queue: UnitQueue, key: UnitKey, error: RestepError) -> None:
        if error.code in SYSTEMIC:
            raise error
        log.warning("%s, attempt %d: %s", *key, error)
        self._failed += await queue.fail(key, error) == self._config.tries

    def _tell(self) -> None:
        if self._report is not None:
            found, succeeded = len(self._done) - self._finished, sum(self._done.values())
            elapsed = time.monotonic() - self._began
            self._report(Progress(len(self._units), found, self._finished, succeeded, self._failed, elapsed))

    def summary(self) -> Collected:
        """The run as it stands at the end."""
        return Collected(
            run=self._run,
            total=len(self._units),
            found=len(self._done) - self._finished,
            finished=self._finished,
            kept=self._kept,
            succeeded=sum(self._done.values()),
            failed=self._failed,
            seconds=time.monotonic() - self._began,
        )


def _rounds(tasks: Iterable[TaskInfo], attempts: int) -> Iterator[tuple[int, TaskInfo]]:
    """Every task once before any is played again."""
    tasks = list(tasks)
    return ((attempt, task) for attempt in range(attempts) for task in tasks)
