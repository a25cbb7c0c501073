"""The seam of a back end: it serves one checkpoint at a time and can be given another.

A :class:`Served` pairs a checkpoint with the weights that answer for it, so that a prompt encoded by one tokenizer is
never answered by the weights of another, even while a reload happens.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from services.agent.checkpoint import Checkpoint
from shared.agent_protocol import AgentInfo, FinishReason, Sampling
from shared.errors import RestepError

Listener = Callable[[list[int], list[float]], None]
"""Called on the event loop with the ids sampled so far and their log-probabilities; the result still comes at the end."""


@dataclass(frozen=True, slots=True)
class Generation:
    """An answer: ids with the stop id they ended on, raw log-probabilities of the same length, prompt tokens reused."""

    token_ids: list[int]
    logprobs: list[float]
    finish_reason: FinishReason
    cached_tokens: int


class Served(ABC):
    """A checkpoint that answers."""

    checkpoint: Checkpoint
    context_length: int

    def room(self, prompt: Sequence[int]) -> int:
        """How many tokens an answer may have. Raises ``prompt_too_long``, ``invalid_request`` for an unknown id or none."""
        room = self.context_length - len(prompt)
        if room < 1:
            raise RestepError("prompt_too_long", f"{len(prompt)} tokens; the context holds {self.context_length}")
        if not prompt or not 0 <= min(prompt) <= max(prompt) < self.checkpoint.vocabulary:
            raise RestepError("invalid_request", f"a prompt is one or more ids from 0 to {self.checkpoint.vocabulary - 1}")
        return room

    def stop_ids(self, sampling: Sampling) -> list[int]:
        """The ids an answer ends on."""
        return list(self.checkpoint.stop_ids) if sampling.stop_token_ids is None else sampling.stop_token_ids

    def info(self, backend: str, max_batch: int) -> AgentInfo:
        """What clients are told of it."""
        checkpoint = self.checkpoint
        return AgentInfo(
            backend=backend,
            model=checkpoint.model,
            checkpoint=checkpoint.source,
            tokenizer_hash=checkpoint.tokenizer_hash,
            vocabulary=checkpoint.vocabulary,
            context_length=self.context_length,
            chat_format=checkpoint.chat_format,
            stop_token_ids=list(checkpoint.stop_ids),
            max_batch=max_batch,
        )

    @abstractmethod
    async def generate(self, prompt: Sequence[int], sampling: Sampling, listener: Listener | None = None) -> Generation:
        """Sample one answer; cancelling the task cancels the work.

        Raises ``prompt_too_long``, ``invalid_request`` for an id outside the vocabulary, ``not_supported`` for an option
        this back end does not have, ``queue_full``, ``not_ready`` when it was replaced or is being restarted, ``timeout``,
        ``backend_failed``.
        """


class Backend(ABC):
    """An inference engine."""

    @abstractmethod
    async def load(self, source: str) -> Served:
        """Serve another checkpoint: what was accepted before finishes on the old one, which serves on if this fails.

        Raises ``checkpoint_not_found`` or ``unsuitable_model``.
        """

    @abstractmethod
    def current(self) -> Served:
        """What answers now. Raises ``not_ready`` before the first :meth:`load` has ended."""

    @abstractmethod
    def info(self) -> AgentInfo:
        """A description of what answers now. Raises ``not_ready``."""

    @abstractmethod
    async def stop(self) -> None:
        """Finish accepted work and end every thread and process. Idempotent."""

    @abstractmethod
    def gauges(self) -> Mapping[str, float]:
        """Levels for /metrics."""

    @abstractmethod
    def counters(self) -> Mapping[str, float]:
        """Totals for /metrics; they never fall, reloads included."""
