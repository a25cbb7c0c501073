"""What a language model is asked for, as schemas: its judgement of a step, and the correction of a bad one.

Reasons come before decisions, because a model that answers from left to right should decide from its reasons.
"""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from shared.protocol import Decision
from shared.react import ACTION, MAX_ACTION_CHARS, parse_turn, turn_text

_KEYWORD: Final = re.compile(rf"^{ACTION}\s*", re.IGNORECASE)


def _one_line(text: str) -> str:
    """A text goes into one line of an answer: line breaks would be read as its structure, control characters as noise."""
    flat = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    if not flat:
        raise ValueError("must not be empty")
    return flat


def _action(text: str) -> str:
    """As it will be read from the answer it is written into."""
    action = _one_line(_KEYWORD.sub("", text.strip()))
    while (read := parse_turn(turn_text("", action)).action) != action:
        action = _one_line(read)
    return action


Line = Annotated[str, Field(max_length=600), AfterValidator(_one_line)]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Judgement(_Answer):
    """The verdict on a step."""

    reason: Line
    decision: Decision


class Correction(_Answer):
    """What the student should say next: see :class:`trainer.teacher.base.Repair`."""

    reflection: Line
    plan: Line
    action: Annotated[str, Field(max_length=MAX_ACTION_CHARS), AfterValidator(_action)]


class Review(_Answer):
    """Both in one answer. A step that is right has no correction."""

    reason: Line
    decision: Decision
    correction: Correction | None
