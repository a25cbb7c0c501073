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

    @abstractmethod
    async def generate(self, prompt: Sequence[int], sampling: Sampling, listener: Listener | None = None) -> Generation:
        """Sample one answer; cancelling the task cancels the work.

        Raises ``prompt_too_long``, ``invalid_request`` for an id outside the vocabulary, ``queue_full``,
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
