"""What a teacher is: it judges a step of the student while the episode runs, and writes the repair of a bad one.

A teacher sees a :class:`Situation`: the task, what happened so far, the student's answer and what it led to. The
expert's continuation is privileged knowledge, behind a coroutine, so that a teacher which does not look costs nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from shared.protocol import Decision, ExpertAdvice, StepResult
from shared.react import Turn
from shared.trajectory import Step, TaskStamp, VerdictStamp

Advice = Callable[[], Awaitable[ExpertAdvice]]


@dataclass(frozen=True, slots=True)
class Situation:
    """A step to judge. ``result`` is None when it is judged before it is carried out.

    ``history`` holds the steps before this one, ``observation`` the episode's first observation. Privileged, and None
    when such facts are off or the environment has none: ``after`` asks the environment's expert about the state that
    the step leads to (its verdict is on this step), ``here`` about the state in which a repair would be carried out,
    ``before`` about the state in which the step was said; once the step is carried out, the first two are the same
    state. Asking again costs nothing.
    """

    task: TaskStamp
    system: str
    observation: str
    history: Sequence[Step]
    turn: Turn
    result: StepResult | None
    after: Advice | None
    here: Advice | None
    before: Advice | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A teacher's word on a step. ``raw`` is what it was read from, for audits."""

    judge: str
    decision: Decision
    reason: str
    prompt_hash: str | None = None
    raw: dict[str, Any] | None = None

    def stamp(self) -> VerdictStamp:
        """As it is stored with the step."""
        return VerdictStamp(
            judge=self.judge, prompt_hash=self.prompt_hash, decision=self.decision, reason=self.reason, raw=self.raw
        )


@dataclass(frozen=True, slots=True)
class Repair:
    """A reflection on the error and the step that answers it: ``plan`` is the thought behind ``action``.

    ``position`` names the place of the task where it was needed; repairs of one place are counted together.
    """

    reflection: str
    plan: str
    action: str
    position: str


class Teacher(ABC):
    """Judges steps and repairs bad ones. One teacher serves many episodes at once; it keeps no state of any of them."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Author of its verdicts and repairs, version included: stamped into every step it writes."""

    @abstractmethod
    async def judge(self, situation: Situation) -> Verdict:
        """Judge the last step. Raises :class:`shared.errors.RestepError` when it cannot."""

    @abstractmethod
    async def repair(self, situation: Situation, verdict: Verdict) -> Repair | None:
        """Write the repair of a step judged bad; None when nothing can lead to the goal any more."""
