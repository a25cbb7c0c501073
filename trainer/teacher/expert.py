"""The environment's own expert as a teacher: exact, free, offline.

It passes on the verdict that the environment established by counterfactual replay, and writes the reflection from
that verdict's reason and the expert's next action. The wording is a fixed table over what can be read off the
dialogue itself (was the action understood, was it done before, how bad is it), so that a small student finds every
word it has to learn in what it sees, while different errors read differently. Nothing is said that is not so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shared.errors import RestepError
from shared.protocol import Decision, ExpertAdvice
from shared.trajectory import Step
from trainer.teacher.base import Repair, Situation, Teacher, Verdict

_OPENINGS: Final[dict[Decision, tuple[str, str]]] = {
    "needless": ("That did not help", "That would not help"),
    "invalid": ("That was not understood", "That would not be understood"),
    "harmful": ("That was a mistake", "That would be a mistake"),
    "fatal": ("That has ruined the task", "That would ruin the task"),
}
"""How a reflection begins when the step was carried out, and when it was caught before."""

_AGAIN: Final = ("I did that before and it did not help", "I did that before and it would not help")


class ExpertTeacher(Teacher):
    """Judges by the expert route of the environment server. Needs privileged facts."""

    def __init__(self, environment: str, engine_version: str) -> None:
        self._name = f"expert:{environment} {engine_version}"

    @property
    def name(self) -> str:
        """``expert:`` with the environment and the engine's version."""
        return self._name

    async def judge(self, situation: Situation) -> Verdict:
        """The environment's verdict on the step. Raises ``not_supported`` without privileged facts, ``expert_failed``."""
        advice = await _ask(situation)
        if advice.verdict is None:
            raise RestepError("expert_failed", f"no verdict on step {advice.seq} of {situation.task.id}")
        return Verdict(
            judge=self.name,
            decision=advice.verdict.decision,
            reason=advice.verdict.reason,
            raw={"distance_before": advice.verdict.distance_before, "distance_after": advice.verdict.distance_after},
        )

    async def repair(self, situation: Situation, verdict: Verdict) -> Repair | None:
        """Reflection, plan and action from the expert's continuation; None when it knows none."""
        if situation.here is None:
            raise RestepError("not_supported", "the expert teacher needs the environment's expert")
        advice = await situation.here()
        if not advice.actions:
            return None
        action = advice.actions[0]
        return Repair(
            reflection=reflection(situation, verdict, action),
            plan=advice.thought or f"The next step is: {action}.",
            action=action,
            position=f"{len(advice.actions)} {action}",
        )


def reflection(situation: Situation, verdict: Verdict, action: str) -> str:
    """Two short sentences: what was wrong and why, and what to do instead."""
    caught = situation.result is None
    opening = _AGAIN[caught] if _repeated(situation) and verdict.decision == "needless" else _OPENINGS[verdict.decision][caught]
    reason = verdict.reason.strip().rstrip(".")
    why = f"{opening}: {reason[0].lower()}{reason[1:]}." if reason else f"{opening}."
    deed = action if action[:1].isalpha() else f"answer {action}"
    return f"{why} I should {deed} {'again' if action == situation.turn.action else 'instead'}."


def _repeated(situation: Situation) -> bool:
    return situation.turn.action in {step.action for step in executed(situation.history)}


def executed(steps: Sequence[Step]) -> list[Step]:
    """The steps that were carried out: reflections and errors caught in time are not among them."""
    return [step for step in steps if step.observation_hash is not None]


async def _ask(situation: Situation) -> ExpertAdvice:
    if situation.after is None:
        raise RestepError("not_supported", "the expert teacher needs the environment's expert")
    return await situation.after()
