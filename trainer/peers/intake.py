"""``restep import``: published trajectories into a run, each one played again; a bad entry is refused and the others go on.

What replays is kept in ``imported/<environment>``. What does not is refused, or kept as it was published in
``unverified/<environment>`` where that is asked for. Trajectories are committed in the order of their files whatever
was played first, so that a repeated import gives the same collection, and adds nothing to one that is whole.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import Field

from shared.client import EnvironmentClient
from shared.errors import RestepError
from shared.protocol import EnvironmentInfo
from shared.store import TrajectoryStore
from shared.trajectory import Trajectory
from trainer.collection import SYSTEMIC
from trainer.concurrency import task_group
from trainer.options import Options
from trainer.peers.conversation import Conversation, Entry, read_conversation
from trainer.peers.replay import replay
from trainer.peers.task_finder import TaskFinder
from trainer.peers.unverified import as_published
from trainer.progress import Progress, Report
from trainer.reflect import KeepRule
from trainer.rollout import EpisodeConfig

_OF_ONE_ENTRY: Final = frozenset({"unknown_task", "invalid_option"})
"""Would stop a collection, but here concern one entry."""
_UNPLAYABLE: Final = frozenset({"unknown_task", "replay_diverged"})
"""Reasons for which an entry may still be kept as it was published."""


class ImportConfig(Options):
    """How published trajectories are imported."""

    concurrency: int = Field(default=16, ge=1, description="episodes replayed at once")
    keep: KeepRule = Field(default=KeepRule(), description="which of them are for training")


@dataclass(frozen=True, slots=True)
class Refusal:
    """An entry that was not imported, and why."""

    entry: Entry
    error: RestepError

    def row(self) -> dict[str, Any]:
        """As a line of the list of refusals."""
        return {"file": str(self.entry.file), "entry": self.entry.number, "code": self.error.code, "detail": self.error.detail}


@dataclass(slots=True)
class Intake:
    """What an import did: counts of entries, and every refusal in order. ``kept`` are for training."""

    added: int = 0
    already_there: int = 0
    unverified: int = 0
    kept: int = 0
    refused: list[Refusal] = field(default_factory=list[Refusal])

    @property
    def imported(self) -> int:
        """Entries that are in the run now."""
        return self.added + self.already_there

    def causes(self) -> str:
        """Refusals by cause: ``replay_diverged 3, unknown_task 1``."""
        counts = Counter(refusal.error.code for refusal in self.refused)
        return ", ".join(f"{code} {count}" for code, count in counts.most_common())


@dataclass(frozen=True, slots=True)
class Target:
    """Where trajectories go: collections of the store, the protocol to replay under, and the split kept out.

    ``unverified`` takes what cannot be replayed, as it was published; None refuses it.
    """

    verified: str
    unverified: str | None
    episode: EpisodeConfig
    held_out: str


async def import_entries(
    entries: Sequence[Entry],
    environment: EnvironmentClient,
    finder: TaskFinder,
    store: TrajectoryStore,
    target: Target,
    config: ImportConfig,
    report: Report | None = None,
) -> Intake:
    """Replay the entries, ``config.concurrency`` at a time, and commit each in its turn.

    Raises what concerns all entries alike (``unreachable``, ``store_failed``, ...); what was committed stays.
    """
    work = _Work(await environment.info(), environment, finder, store, target, config)
    began, waiting = time.monotonic(), deque[asyncio.Task[tuple[Trajectory, bool] | Refusal]]()

    async def take() -> None:
        await work.keep(await waiting.popleft())
        if report is not None:
            done, refused = work.intake.imported, len(work.intake.refused)
            report(Progress(len(entries), 0, done, work.succeeded, refused, time.monotonic() - began))

    async with task_group() as group:
        for entry in entries:
            waiting.append(group.create_task(work.play(entry)))
            if len(waiting) == config.concurrency:
                await take()
        while waiting:
            await take()
    return work.intake


class _Work:
    """One call of :func:`import_entries`."""

    def __init__(
        self,
        info: EnvironmentInfo,
        environment: EnvironmentClient,
        finder: TaskFinder,
        store: TrajectoryStore,
        target: Target,
        config: ImportConfig,
    ) -> None:
        self._info, self._environment, self._finder = info, environment, finder
        self._store, self._target, self._config = store, target, config
        self.intake, self.succeeded = Intake(), 0

    async def play(self, entry: Entry) -> tuple[Trajectory, bool] | Refusal:
        """The entry's trajectory and whether it is verified, or why there is none."""
        try:
            conversation = await asyncio.to_thread(read_conversation, entry)
            return await self._replayed(conversation)
        except RestepError as error:
            if error.code in SYSTEMIC - _OF_ONE_ENTRY:
                raise
            return Refusal(entry, error)

    async def _replayed(self, conversation: Conversation) -> tuple[Trajectory, bool]:
        target = self._target
        try:
            task_id = self._finder.find(conversation)
            trajectory = await replay(
                conversation,
                task_id,
                self._environment,
                self._info,
                target.episode,
                run=target.verified,
                held_out=target.held_out,
            )
        except RestepError as error:
            if error.code not in _UNPLAYABLE or target.unverified is None:
                raise
            return as_published(conversation, self._info, target.episode, target.unverified), False
        return trajectory, True

    async def keep(self, outcome: tuple[Trajectory, bool] | Refusal) -> None:
        """Commit one, or note its refusal."""
        if isinstance(outcome, Refusal):
            self.intake.refused.append(outcome)
            return
        trajectory, verified = outcome
        kept = self._config.keep.keeps(trajectory.outcome)
        added, already = await asyncio.to_thread(self._store.commit_all, iter([trajectory]), trajectory.run, kept=kept)
        self.intake.added += added
        self.intake.already_there += already
        self.intake.unverified += not verified
        self.intake.kept += kept
        self.succeeded += trajectory.outcome.success
