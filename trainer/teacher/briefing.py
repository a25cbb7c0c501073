"""A question to a language-model teacher as messages: instructions and examples first, the situation last.

What never changes comes first, so that a server's prefix cache holds it, and the examples are laid out by the very
code that lays out the question.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson

from shared.react import turn_text
from shared.trajectory import Step
from trainer.chat_messages import assistant_turns
from trainer.dialogue import Message
from trainer.teacher.answers import Correction, Judgement, Review
from trainer.teacher.base import Situation, Verdict
from trainer.teacher.prompts import Call, Example, Prompts

Timing = Literal["after", "before"]

_PARTS: Final[dict[Call, tuple[str, ...]]] = {
    "judge": ("decisions", "judge"),
    "repair": ("repair", "writing"),
    "combined": ("decisions", "combined", "writing"),
}
SHAPES: Final[dict[Call, type[Judgement | Correction | Review]]] = {
    "judge": Judgement,
    "repair": Correction,
    "combined": Review,
}
"""What each call is answered with."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A step with all that is told of it. ``followed`` is None before it is carried out.

    ``history`` holds answers with the observations that followed, ``reference`` lines that the student never sees.
    """

    task: str
    observation: str
    history: Sequence[tuple[str, str]]
    answer: str
    followed: str | None
    reference: Sequence[str] = ()
    verdict: tuple[str, str] | None = None


class Briefing:
    """Messages for one environment. ``timing`` is when steps are judged, ``private`` whether references are shown."""

    def __init__(self, prompts: Prompts, *, timing: Timing, private: bool, history: int | None = None) -> None:
        """``history``: the latest steps that are shown, None for all."""
        self.prompts = prompts
        self._timing: Timing = timing
        self._private, self._history = private, history

    def messages(
        self, call: Call, situation: Situation, reference: Sequence[str] = (), verdict: Verdict | None = None
    ) -> list[Message]:
        """The question ``call`` about a step; ``verdict`` is what a repair answers."""
        judged = None if verdict is None else (verdict.decision, verdict.reason)
        return [*self.opening(call, situation.system), Message("user", _told(self._scene(situation, reference, judged)))]

    def opening(self, call: Call, system: str) -> list[Message]:
        """The part that does not depend on the episode; ``system`` is what the student was told."""
        wording = self.prompts.wording
        parts = ["role", self._timing, *_PARTS[call], *(["private"] if self._private else [])]
        told = [getattr(wording, part) for part in parts]
        text = "\n".join([*told, self.prompts.lessons.about, "The student was told:", system])
        return [Message("system", text), *self._examples(call)]

    def prompt_hash(self, calls: Sequence[Call], system: str) -> str:
        """SHA-256 in hex of everything but the situation: instructions, examples and schemas of ``calls``."""
        fixed: list[Any] = [
            [call, [(m.role, m.text) for m in self.opening(call, system)], SHAPES[call].model_json_schema()] for call in calls
        ]
        return hashlib.sha256(orjson.dumps(fixed, option=orjson.OPT_SORT_KEYS)).hexdigest()

    def _examples(self, call: Call) -> Iterator[Message]:
        for example in self.prompts.lessons.examples:
            # A fatal step that was carried out is past repair.
            lost = example.judgement.decision == "fatal" and self._timing == "after"
            correction = None if lost else example.correction
            answer = _answer(call, example.judgement, correction)
            if answer is not None:
                yield Message("user", _told(self._example_scene(call, example)))
                yield Message("assistant", answer)

    def _example_scene(self, call: Call, example: Example) -> Scene:
        return Scene(
            task=example.task,
            observation=example.observation,
            history=[(turn_text(one.thought, one.action), one.observation) for one in example.history],
            answer=turn_text(example.step.thought, example.step.action),
            followed=example.followed if self._timing == "after" else None,
            reference=[continuation(example.expert)] if self._private else [],
            verdict=(example.judgement.decision, example.judgement.reason) if call == "repair" else None,
        )

    def _scene(self, situation: Situation, reference: Sequence[str], verdict: tuple[str, str] | None) -> Scene:
        turn, result = situation.turn, situation.result
        broken = f"\n(The answer breaks the format: {turn.error}.)" if turn.error else ""
        return Scene(
            task=situation.task.goal,
            observation=situation.observation,
            history=_shown(situation.history, self._history),
            answer=turn_text(turn.thought, turn.action) + broken,
            followed=None if result is None else result.observation,
            reference=reference,
            verdict=verdict,
        )


def continuation(actions: Sequence[str], most: int = 12) -> str:
    """An expert's way in a line: its first ``most`` actions, and how many there are."""
    if not actions:
        return "From here an expert knows no way to the goal."
    shown = "; ".join(actions[:most]) + ("; ..." if len(actions) > most else "")
    return f"From here an expert would go on so ({len(actions)} actions): {shown}"


def _answer(call: Call, judgement: Judgement, correction: Correction | None) -> str | None:
    """The right answer of an example; None where the call has none."""
    if call == "judge":
        return judgement.model_dump_json()
    if call == "combined":
        return Review(reason=judgement.reason, decision=judgement.decision, correction=correction).model_dump_json()
    return None if correction is None else correction.model_dump_json()


def _shown(steps: Sequence[Step], most: int | None) -> list[tuple[str, str]]:
    """Answers with what followed them, from the ``most`` last that acted; a thought counts with the action after it."""
    turns = list(assistant_turns(steps))
    acted = [number for number, turn in enumerate(turns) if turn[-1].action is not None]
    begin = 0 if most is None or most >= len(acted) else acted[len(acted) - most - 1] + 1
    return [("".join(step.text for step in turn), turn[-1].observation or "") for turn in turns[begin:]]


def _told(scene: Scene) -> str:
    """A scene as text."""
    parts = [f"## Task\n{scene.task}", f"## Episode so far\nObservation: {scene.observation}"]
    parts += [f"{answer.strip()}\nObservation: {observation}" for answer, observation in scene.history]
    parts += [f"## Latest step\n{scene.answer}"]
    if scene.followed is not None:
        parts += [f"## What followed\n{scene.followed}"]
    if scene.reference:
        parts += ["## Private reference\n" + "\n".join(scene.reference)]
    if scene.verdict is not None:
        decision, reason = scene.verdict
        parts += [f"## Verdict\n{decision}: {reason}" if reason else f"## Verdict\n{decision}"]
    return "\n\n".join(parts)
