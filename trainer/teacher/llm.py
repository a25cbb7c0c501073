"""A language model as a teacher: it reads the episode, judges the step, and writes the repair in the student's voice.

It may be shown a private reference. Its word is taken as it is written and nothing is made up for it: an answer that
cannot be read is a failed episode, never a verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypeVar, cast

from pydantic import BaseModel

from trainer.teacher.answers import Correction, Judgement, Review
from trainer.teacher.base import Repair, Situation, Teacher, Verdict
from trainer.teacher.briefing import Briefing
from trainer.teacher.cache import AnswerCache
from trainer.teacher.ledger import Purpose
from trainer.teacher.prompts import Call
from trainer.teacher.reference import Reference
from trainer.teacher.structured import ask

if TYPE_CHECKING:
    from trainer.teacher.endpoint import Endpoint

M = TypeVar("M", bound=BaseModel)

_ANSWER: Final = "answer"


class LanguageTeacher(Teacher):
    """Judges and repairs by asking a model. ``collection`` is what its spending is booked on."""

    def __init__(
        self,
        endpoint: Endpoint,
        cache: AnswerCache,
        briefing: Briefing,
        reference: Reference,
        collection: str,
        *,
        combined: bool = False,
    ) -> None:
        """``combined``: judge and repair in one answer instead of two."""
        self._endpoint, self._cache, self._briefing, self._reference = endpoint, cache, briefing, reference
        self._collection, self._combined = collection, combined
        self._calls: Sequence[Call] = ("combined", "repair") if combined else ("judge", "repair")

    @property
    def name(self) -> str:
        """``llm:`` with the model, and the prompts it was asked with."""
        return f"llm:{self._endpoint.options.model} {self._briefing.prompts.source}"

    async def judge(self, situation: Situation) -> Verdict:
        """The model's verdict; ``raw`` holds its whole answer.

        Raises ``malformed_answer``, ``budget_exhausted`` and what else :func:`trainer.teacher.structured.ask` raises.
        """
        said: Judgement | Review
        if self._combined:
            said = await self._ask("combined", situation, Review)
        else:
            said = await self._ask("judge", situation, Judgement)
        return Verdict(
            judge=self.name,
            decision=said.decision,
            reason=said.reason,
            prompt_hash=self._briefing.prompt_hash(self._calls, situation.system),
            raw={_ANSWER: said.model_dump(mode="json")},
        )

    async def repair(self, situation: Situation, verdict: Verdict) -> Repair:
        """The model's correction: the one that came with its verdict, or one asked for now. Raises as :meth:`judge`."""
        written = _correction_with(verdict) if verdict.judge == self.name else None
        said = written or await self._ask("repair", situation, Correction, verdict)
        score = situation.result.score if situation.result is not None else _score(situation)
        return Repair(
            reflection=said.reflection,
            plan=said.plan,
            action=said.action,
            # Nobody counts the actions that are left, so a place is told by what it is worth and what it asks for.
            position=f"{score:g} {said.action}",
        )

    async def _ask(self, call: Call, situation: Situation, shape: type[M], verdict: Verdict | None = None) -> M:
        reference = await self._reference.lines(situation)
        messages = self._briefing.messages(call, situation, reference, verdict)
        return await ask(self._endpoint, self._cache, Purpose(self._collection, call), messages, shape)


def _correction_with(verdict: Verdict) -> Correction | None:
    answer = cast(dict[str, object], (verdict.raw or {}).get(_ANSWER) or {})
    given = answer.get("correction")
    return None if given is None else Correction.model_validate(given)


def _score(situation: Situation) -> float:
    scores = [step.score for step in situation.history if step.score is not None]
    return scores[-1] if scores else 0.0
