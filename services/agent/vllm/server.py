"""A vLLM server as the back end sees it: it answers, or is on its way back.

A question is put again when the server died over it; what was sampled before is lost, nothing else is.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from services.agent.backends.base import Generation, Listener
from services.agent.checkpoint import Checkpoint
from services.agent.vllm.client import Question, Trouble, VllmClient
from services.agent.vllm.turnstile import Turnstile

PATIENCE: Final = 60.0
"""Seconds a question waits for a server on its way back before its client is told to come again."""
_TRIES: Final = 3


@dataclass(slots=True)
class Totals:
    """What all servers together have done; read by /metrics. Busy is at least one question being answered."""

    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    cancelled: int = 0
    asked_again: int = 0
    restarts: int = 0
    reloads: int = 0
    _busy: float = 0.0
    _asking: int = 0
    _since: float = 0.0

    @property
    def busy_seconds(self) -> float:
        """Seconds in which some question was being answered."""
        return self._busy + (time.monotonic() - self._since if self._asking else 0.0)

    @contextmanager
    def asking(self) -> Generator[None]:
        """A question is being answered for the time of the block."""
        if self._asking == 0:
            self._since = time.monotonic()
        self._asking += 1
        try:
            yield
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self._asking -= 1
            if self._asking == 0:
                self._busy += time.monotonic() - self._since


@dataclass(eq=False)
class Server(ABC):
    """Where questions about ``base``, and about adapters of it, are answered. ``adapters`` are the folders of those in use."""

    base: Checkpoint
    turnstile: Turnstile
    totals: Totals
    adapters: dict[str, Path] = field(default_factory=dict[str, Path], init=False)
    using: Counter[str] = field(default_factory=Counter[str], init=False)
    closed: bool = field(default=False, init=False)

    @abstractmethod
    async def ready(self) -> VllmClient:
        """The client of a server that answers. Raises ``not_ready`` when it is not back in time."""

    @abstractmethod
    async def recovered(self, client: VllmClient) -> bool:
        """Look at a server that failed a question: False when it is well, so that its answer stands, True when it was not.

        Raises ``not_ready`` when it is not back in time.
        """

    @abstractmethod
    def base_name(self) -> str:
        """What the weights themselves are called there."""

    @abstractmethod
    async def levels(self) -> Mapping[str, float]:
        """Its own levels; empty while it is away."""

    @abstractmethod
    async def close(self) -> None:
        """Finish what is inside and end it. Idempotent."""

    async def ask(self, question: Question, listener: Listener | None = None) -> Generation:
        """One answer. Raises what :meth:`VllmClient.complete` raises, and ``not_ready``; never :class:`Trouble`."""
        self.using[question.model] += 1
        try:
            for tries_left in reversed(range(_TRIES)):
                client = await self.ready()
                try:
                    with self.totals.asking():
                        return self._counted(question, await client.complete(question, listener))
                except Trouble as trouble:
                    error, cut = trouble.error, trouble.cut
                lost = await self.recovered(client)
                if not tries_left or not (lost or cut):
                    raise error
                self.totals.asked_again += 1
            raise AssertionError("unreachable")
        finally:
            self.using[question.model] -= 1

    def _counted(self, question: Question, answer: Generation) -> Generation:
        self.totals.requests += 1
        self.totals.prompt_tokens += len(question.prompt)
        self.totals.cached_tokens += answer.cached_tokens
        self.totals.generated_tokens += len(answer.token_ids)
        return answer

    async def load_adapter(self, name: str, folder: Path) -> None:
        """Serve an adapter beside what is served; it comes back with a restart. Raises ``unsuitable_model``, ``not_ready``."""
        client = await self.ready()
        try:
            await client.load_adapter(name, folder)
        except Trouble as trouble:
            await self.recovered(client)
            raise trouble.error from None
        used = {known: where for known, where in self.adapters.items() if self.using[known]}
        self.adapters = {**used, name: folder}

    async def restore(self, client: VllmClient) -> None:
        """Give a fresh process the adapters in use. Raises :class:`Trouble`, ``unsuitable_model``."""
        for name, folder in self.adapters.items():
            await client.load_adapter(name, folder)
