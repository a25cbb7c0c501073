"""The agent: answers of a back end read as ReAct turns and counted, admission and drain.

Knows no HTTP. A request that is accepted is finished, unless whoever asked has left.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager, suppress

from services.agent.backends.base import Backend, Served
from services.agent.settings import AgentSettings
from services.agent.text import complete
from shared.agent_protocol import AgentInfo, AgentTurn, ReactStepRequest, Usage
from shared.errors import RestepError
from shared.protocol import Health
from shared.react import parse_turn

_RETRY_AFTER = 1.0


class AgentService:
    """One back end and what is counted about it. ``format_failures`` by reason."""

    def __init__(self, backend: Backend, settings: AgentSettings) -> None:
        self.backend = backend
        self.settings = settings
        self.turns = 0
        self.cut_off = 0
        self.format_failures: Counter[str] = Counter()
        self.in_flight = 0
        self.draining = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._begun = asyncio.Event()
        self._starting: asyncio.Task[Served] | None = None

    def begin(self) -> None:
        """Start loading the checkpoint; :meth:`started` waits for it."""
        self._starting = asyncio.create_task(self.backend.load(self.settings.checkpoint))
        self._begun.set()

    async def started(self) -> None:
        """Return when the first checkpoint is served. Raises ``checkpoint_not_found`` or ``unsuitable_model``."""
        await self._begun.wait()
        assert self._starting is not None
        await self._starting

    def ready(self) -> Health:
        """For the readiness probe. Raises ``draining`` while the service is leaving, ``not_ready`` while it loads."""
        if self.draining:
            raise RestepError("draining")
        return Health(detail={"model": self.backend.info().model})

    async def drain(self) -> None:
        """Accept nothing more and wait for what is in flight, for ``drain_seconds`` at most."""
        self.draining = True
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), self.settings.drain_seconds)

    async def stop(self) -> None:
        """End the back end. Idempotent."""
        if self._starting is not None:
            self._starting.cancel()
            with suppress(asyncio.CancelledError, RestepError):
                await self._starting
        await self.backend.stop()

    @contextmanager
    def working(self) -> Generator[None]:
        """A request in flight. Raises ``draining``."""
        if self.draining:
            raise RestepError("draining", retry_after=_RETRY_AFTER)
        self.in_flight += 1
        self._idle.clear()
        try:
            yield
        finally:
            self.in_flight -= 1
            if self.in_flight == 0:
                self._idle.set()

    async def step(self, request: ReactStepRequest) -> AgentTurn:
        """Sample one answer and read it as a turn.

        Raises what :meth:`Served.generate` raises, ``not_ready``, and ``unknown_model`` where another checkpoint was asked.
        """
        with self.working():
            served = self.backend.current()
            if request.model not in (None, served.checkpoint.model):
                raise RestepError("unknown_model", f"{request.model} is not served; {served.checkpoint.model} is")
            answer = await complete(served, request.prompt_token_ids, request, request.stop)
        turn = parse_turn(answer.text)
        self.turns += 1
        finish_reason = answer.finish_reason
        assert finish_reason is not None
        self.cut_off += finish_reason == "length"
        if turn.error is not None:
            self.format_failures[turn.error] += 1
        return AgentTurn(
            token_ids=answer.token_ids,
            logprobs=answer.logprobs if request.logprobs else None,
            text=answer.text,
            thought=turn.thought,
            action=turn.action,
            format_error=turn.error,
            finish_reason=finish_reason,
            model=served.checkpoint.model,
            usage=Usage(
                prompt_tokens=len(request.prompt_token_ids),
                completion_tokens=len(answer.token_ids),
                cached_tokens=answer.cached_tokens,
            ),
        )

    async def load(self, source: str) -> AgentInfo:
        """Serve another checkpoint. Raises ``checkpoint_not_found`` or ``unsuitable_model``; the old one then stays."""
        with self.working():
            await self.backend.load(source)
            return self.info()

    def info(self) -> AgentInfo:
        """What answers, and how much it has to do. Raises ``not_ready``."""
        return self.backend.info().model_copy(update={"in_flight": self.in_flight})
