"""Trajectories as token ids with a weight and an origin for every token, built by appending only.

The roll-out client appends with :meth:`Renderer.start`, :meth:`Renderer.answer` and :meth:`Renderer.observation`;
training appends the same pieces in :meth:`Renderer.render`. So the ids trained on are the ids the model was given
and gave: sampled answers keep their own ids, written text is encoded once, nothing is encoded again as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from shared.errors import RestepError
from shared.react import first_message
from shared.trajectory import Provenance, Step, Trajectory
from trainer.action_tokens import action_tokens
from trainer.chat_format import ChatFormat, choose_format
from trainer.chat_messages import assistant_turns

Kind = Literal["prompt", "observation"] | Provenance
KINDS: Final[tuple[Kind, ...]] = ("prompt", "observation", "golden", "student", "error", "reflection", "correction")
"""Where a token comes from; :attr:`Rendered.kinds` holds places in this list."""
_CONTEXT: Final = (KINDS.index("prompt"), KINDS.index("observation"))


def in_answers(kinds: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """True where a token of such a kind belongs to an answer, stop tokens included."""
    return ~np.isin(kinds, _CONTEXT)


@dataclass(frozen=True, slots=True)
class Segment:
    """Ids of one origin. ``step`` is the step's index, for an observation that of the step it answers, else -1."""

    ids: tuple[int, ...]
    weight: float
    step: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class Rendered:
    """One trajectory as arrays of equal length: int32 ids, float32 weights, int32 step indices, uint8 kinds.

    ``actions`` is true on the actions of answers, as :mod:`trainer.action_tokens` tells them from thoughts.
    """

    trajectory: str
    task: str
    input_ids: NDArray[np.int32]
    weights: NDArray[np.float32]
    steps: NDArray[np.int32]
    kinds: NDArray[np.uint8]
    actions: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.input_ids)


class Renderer:
    """Appends the pieces of a dialogue; see :mod:`trainer.chat_format` for how each becomes ids.

    An assistant turn is one step, or reflections and the correction they introduce; a reflection that was answered is
    a turn of its own, and what answered it stands where an observation does. A turn's stop token has the weight
    and kind of the turn's last step, except when sampling was cut by length: then the token was never the model's
    own and has weight 0. What follows the last answer is not rendered.
    """

    def __init__(self, chat: ChatFormat) -> None:
        self.chat = chat
        self.stop_id = chat.stop_id

    @classmethod
    def from_tokenizer(cls, tokenizer: PreTrainedTokenizerBase, chat_format: str | None = None) -> Renderer:
        """The renderer of a model. Raises ``unsuitable_template`` when its chat template is not append-only."""
        return cls(choose_format(tokenizer, chat_format))

    def start(self, system: str, first_user: str) -> Segment:
        """System and first user message, generation prompt included."""
        return Segment(tuple(self.chat.opening(system, first_user)), 0.0, -1, "prompt")

    def answer(self, *parts: str | Sequence[int]) -> list[Segment]:
        """One assistant turn from texts and sampled ids, with its stop token; nothing of it has weight."""
        return list(self._turn([_Part(part, 0.0, -1, "student") for part in parts]))

    def observation(self, text: str, step: int = -1) -> Segment:
        """The rest of the assistant turn, the user message and the next generation prompt."""
        return Segment(tuple(self.chat.between(text)), 0.0, step, "observation")

    def segments(self, trajectory: Trajectory, weights: Sequence[float] | None = None) -> Iterator[Segment]:
        """The pieces of a trajectory in order; ``weights`` has one value for each step, None means their ``loss``."""
        yield self.start(trajectory.protocol.system, first_message(trajectory.task.goal, trajectory.observation))
        given = [step.loss for step in trajectory.steps] if weights is None else weights
        turns = list(assistant_turns(trajectory.steps))
        for number, turn in enumerate(turns):
            yield from self._turn([_Part(_content(step), given[step.index], step.index, step.provenance) for step in turn])
            if number + 1 < len(turns):
                yield self.observation(turn[-1].observation or "", turn[-1].index)

    def render(self, trajectory: Trajectory, weights: Sequence[float] | None = None) -> Rendered:
        """All segments as arrays. ``render`` of a trajectory's first turns is a prefix of ``render`` of the whole."""
        segments = list(self.segments(trajectory, weights))
        lengths = [len(segment.ids) for segment in segments]
        input_ids = np.fromiter((i for segment in segments for i in segment.ids), np.int32, sum(lengths))
        steps = np.repeat(np.array([segment.step for segment in segments], np.int32), lengths)
        kinds = np.repeat(np.array([KINDS.index(segment.kind) for segment in segments], np.uint8), lengths)
        return Rendered(
            trajectory=trajectory.id,
            task=trajectory.task.type,
            input_ids=input_ids,
            weights=np.repeat(np.array([segment.weight for segment in segments], np.float32), lengths),
            steps=steps,
            kinds=kinds,
            actions=action_tokens(input_ids, steps, in_answers(kinds), self.chat.codec.decode),
        )

    def _turn(self, parts: Sequence[_Part]) -> Iterator[Segment]:
        for position, part in enumerate(parts):
            last = position + 1 == len(parts)
            if isinstance(part.content, str):
                ids, sampled = self.chat.answer(part.content, first=position == 0, last=last), False
            else:
                ids, sampled = list(part.content), True
            stopped = sampled and ids[-1:] == [self.stop_id]
            if sampled and self.stop_id in ids[: -1 if last else None]:
                raise RestepError("invalid_trajectory", f"step {part.step}: a stop token inside an answer")
            if ids:
                yield Segment(tuple(ids), part.weight, part.step, part.kind)
            if last and not stopped:
                yield Segment((self.stop_id,), 0.0 if sampled else part.weight, part.step, part.kind)


@dataclass(frozen=True, slots=True)
class _Part:
    content: str | Sequence[int]
    weight: float
    step: int
    kind: Kind


def _content(step: Step) -> str | Sequence[int]:
    return step.text if step.token_ids is None else step.token_ids
