"""A teacher whose mistakes are known: it says what a table says of each action, and corrects with one fixed action."""

from __future__ import annotations

from collections.abc import Mapping

from shared.protocol import Decision
from trainer.teacher.base import Repair, Situation, Teacher, Verdict


class Mistaken(Teacher):
    """``said`` by action, ``useful`` where it has none; ``cure`` is what it corrects every error with."""

    def __init__(self, said: Mapping[str, Decision], cure: str) -> None:
        self._said, self._cure = said, cure

    @property
    def name(self) -> str:
        return "mistaken"

    async def judge(self, situation: Situation) -> Verdict:
        return Verdict(judge=self.name, decision=self._said.get(situation.turn.action, "useful"), reason="So it seems.")

    async def repair(self, situation: Situation, verdict: Verdict) -> Repair | None:
        return Repair("That was wrong.", "I do this.", self._cure, position=f"{len(situation.history)}")
