"""Private references: what a language-model teacher may know beyond the episode, and the student never sees."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from shared.errors import RestepError
from shared.store import TrajectoryStore
from shared.trajectory import Trajectory
from trainer.teacher.base import Situation
from trainer.teacher.briefing import continuation


class Reference(ABC):
    """A source of references."""

    @abstractmethod
    async def lines(self, situation: Situation) -> Sequence[str]:
        """What to tell of a situation, one fact a line; nothing where nothing is known."""


class NoReference(Reference):
    """The teacher knows what the student knows."""

    async def lines(self, situation: Situation) -> Sequence[str]:
        """Nothing."""
        return ()


class ExpertReference(Reference):
    """The continuation of the environment's expert, before the step and from where it led. Its verdict is not told."""

    async def lines(self, situation: Situation) -> Sequence[str]:
        """Raises ``not_supported`` without privileged facts, and what the expert route raises."""
        if situation.here is None:
            raise RestepError("not_supported", "the reference `expert` needs the environment's expert")
        told: list[str] = []
        if situation.result is not None and situation.before is not None:
            earlier = await situation.before()
            told.append("Before the latest step: " + continuation(earlier.actions))
        over = situation.result is not None and (situation.result.done or situation.result.truncated)
        if not over:
            told.append(continuation((await situation.here()).actions))
        return told


class GoldenReference(Reference):
    """A successful trajectory of the same task, as one list of actions."""

    def __init__(self, actions: Mapping[str, Sequence[str]]) -> None:
        """``actions`` are by task id."""
        self._actions = actions

    @classmethod
    async def of_run(cls, store: TrajectoryStore, run: str) -> GoldenReference:
        """What a collection of golden trajectories kept."""
        held = await asyncio.to_thread(lambda: list(store.trajectories(run, kept=True)))
        return cls({trajectory.task.id: golden_actions(trajectory) for trajectory in held})

    async def lines(self, situation: Situation) -> Sequence[str]:
        """Nothing for a task without a golden trajectory."""
        actions = self._actions.get(situation.task.id)
        return () if not actions else ("From its beginning, the task was solved so: " + "; ".join(actions),)


def golden_actions(trajectory: Trajectory) -> list[str]:
    """The actions that the engine understood: the others show nothing but what not to say."""
    return [step.action for step in trajectory.steps if step.action is not None and step.valid is not False]
