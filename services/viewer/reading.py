"""A trajectory as a person reads it: its steps with what is trained on, its tokens, and where two of them part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.trajectory import Provenance, Step, Trajectory

_CHARACTERS_PER_TOKEN: Final = 4
"""How wide text is drawn that was written, not sampled: about as wide as if it had been."""
_SHADES: Final = (-0.1, -0.7, -2.3, -4.6)
"""Log-probabilities that part five shades: above 90 %, 50 %, 10 %, 1 %, and below."""
STRIP_WIDTH: Final = 1000


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the dialogue, in thousandths of it. ``kind`` is a step's provenance, or ``seen`` for an observation."""

    x: float
    width: float
    kind: Provenance | str
    weight: float
    step: int | None


@dataclass(frozen=True, slots=True)
class Token:
    """A sampled token: its id, and how likely it was, from shade 0 (sure) to 4 (a surprise); None where unknown."""

    id: int
    logprob: float | None
    shade: int | None


@dataclass(frozen=True, slots=True)
class ReadStep:
    """A step to show. ``shared``: the other trajectory of a comparison has the same action here and before."""

    step: Step
    tokens: list[Token]
    shared: bool = False

    @property
    def trained(self) -> bool:
        """Any of it carries weight."""
        return self.step.loss > 0


def read_steps(trajectory: Trajectory, shared: int = 0) -> list[ReadStep]:
    """Every step; the first ``shared`` actions are those the other trajectory has too."""
    shown: list[ReadStep] = []
    acted = 0
    for step in trajectory.steps:
        acted += step.action is not None
        shown.append(ReadStep(step, tokens(step), shared=step.action is not None and acted <= shared))
    return shown


def tokens(step: Step) -> list[Token]:
    """The sampled tokens of a step; none for text that was written."""
    ids = step.token_ids or []
    logprobs: Sequence[float | None] = step.logprobs or [None] * len(ids)
    return [Token(id, logprob, _shade(logprob)) for id, logprob in zip(ids, logprobs, strict=True)]


def _shade(logprob: float | None) -> int | None:
    return None if logprob is None else sum(logprob < bound for bound in _SHADES)


def strip(trajectory: Trajectory) -> list[Segment]:
    """The whole dialogue from left to right: what the model reads only, and what it is trained on."""
    parts: list[tuple[float, str, float, int | None]] = [(_width(trajectory.observation), "seen", 0.0, None)]
    for step in trajectory.steps:
        length = float(len(step.token_ids)) if step.token_ids else _width(step.text)
        parts.append((length, step.provenance, step.loss, step.index))
        if step.observation is not None:
            parts.append((_width(step.observation), "seen", 0.0, None))
    whole = sum(width for width, *_ in parts)
    segments: list[Segment] = []
    x = 0.0
    for width, kind, weight, index in parts:
        wide = STRIP_WIDTH * width / whole
        segments.append(Segment(round(x, 2), round(wide, 2), kind, weight, index))
        x += wide
    return segments


def _width(text: str) -> float:
    return 1.0 + len(text) / _CHARACTERS_PER_TOKEN


def common_actions(one: Trajectory, other: Trajectory) -> int:
    """How many actions two episodes have in common before they part."""
    count = 0
    for mine, theirs in zip(_actions(one), _actions(other), strict=False):
        if mine != theirs:
            break
        count += 1
    return count


def _actions(trajectory: Trajectory) -> list[str]:
    return [step.action for step in trajectory.steps if step.action is not None]
