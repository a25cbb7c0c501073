"""An environment server without HTTP: what the routes translate to.

Owns the environment's life: starting in the background (probes answer meanwhile), serving, draining, stopped.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Sequence

from services.envserver.limits import MAX_HISTORY_CHARS, check_action
from services.envserver.session import Host, Session, Tally
from services.envserver.sessions import Sessions
from services.envserver.work import Work
from services.http.problems import as_problem
from shared.environment import Environment
from shared.errors import RestepError
from shared.protocol import BatchItem, BatchStep, EnvironmentInfo, ExpertAdvice, Extra, Health, StepRequest, StepResult
from shared.settings import EnvironmentSettings

log = logging.getLogger(__name__)

_CLOSE_SECONDS = 10.0
_STOP_SECONDS = 20.0


class Service:
    """One environment, its sessions and its state. ``clock`` is monotonic, in seconds."""

    def __init__(
        self, environment: Environment, settings: EnvironmentSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.environment = environment
        self.settings = settings
        self.work = Work(settings.queue)
        self.tally = Tally()
        host = Host(environment, self.work, self.tally, settings.engine_timeout, MAX_HISTORY_CHARS, clock)
        self.sessions = Sessions(
            host, capacity=settings.capacity, lease=settings.lease_seconds, per_client=settings.sessions_per_client
        )
        self._begun = asyncio.Event()
        self._starting: asyncio.Task[None] | None = None
        self._reaper: asyncio.Task[None] | None = None

    # --- life ----------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start engine and data in the background; :meth:`started` waits for it."""
        self._starting = asyncio.create_task(self.environment.start())
        self._reaper = asyncio.create_task(self.sessions.reap_forever())
        self._begun.set()

    async def started(self) -> None:
        """Return when the environment is loaded. Raises what its start raised."""
        await self._begun.wait()
        if self._starting is not None:
            await asyncio.shield(self._starting)

    @property
    def loaded(self) -> bool:
        """The environment's start has returned."""
        task = self._starting
        return task is not None and task.done() and not task.cancelled() and task.exception() is None

    def require_loaded(self) -> None:
        """Raise ``not_ready`` while the environment is loading."""
        if not self.loaded:
            raise RestepError("not_ready", retry_after=2.0)

    def ready(self) -> Health:
        """For the readiness probe. Raises ``draining`` while the server is leaving, ``not_ready`` while it loads."""
        if self.work.draining:
            raise RestepError("draining")
        self.require_loaded()
        return Health(detail={"sessions": len(self.sessions), "pending": self.work.pending})

    async def drain(self) -> None:
        """Take no new work and wait, for a bounded time, for what is in flight."""
        self.work.draining = True
        if not await self.work.drained(self.settings.drain_seconds):
            log.warning("leaving with work unfinished after %g s", self.settings.drain_seconds)

    async def stop(self) -> None:
        """End sessions and environment, in bounded time whatever the engine does."""
        self.work.draining = True
        for task in (self._reaper, self._starting):
            if task is not None:
                task.cancel()
        self.work.cancel()
        self.sessions.close_all()
        if not await self.work.drained(_CLOSE_SECONDS):
            log.warning("leaving with episodes still closing after %g s", _CLOSE_SECONDS)
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await self.environment.stop()
        except TimeoutError:
            log.error("the environment did not stop within %g s", _STOP_SECONDS)

    # --- calls ---------------------------------------------------------------------------------------------

    def info(self) -> EnvironmentInfo:
        """The environment as this server offers it."""
        info = self.environment.info()
        offered = [name for name in info.capabilities if name != "expert" or self.settings.expert]
        return info.model_copy(
            update={
                "capabilities": sorted({*offered, "fork"}),
                "capacity": self.sessions.capacity,
                "sessions": len(self.sessions),
            }
        )

    async def step(self, session_id: str, asked: StepRequest) -> StepResult:
        """One step of one session, finished even if the caller leaves."""
        self._check_step(asked)
        session = await self.sessions.get(session_id)
        return await self.work.run(lambda: session.step(asked.seq, asked.action, asked.include))

    async def batch(self, steps: Sequence[BatchStep]) -> list[BatchItem]:
        """Steps of many sessions at once; those of one session in the order of their numbers. Never raises."""
        items: list[BatchItem | None] = [None] * len(steps)
        by_session: dict[str, list[int]] = defaultdict(list)
        for position, asked in enumerate(steps):
            try:
                self._check_step(asked)
                self.work.admit()
                by_session[asked.session_id].append(position)
            except RestepError as error:
                items[position] = BatchItem(session_id=asked.session_id, problem=as_problem(error))

        async def play(session_id: str, positions: list[int]) -> None:
            for position in sorted(positions, key=lambda position: steps[position].seq):
                items[position] = await self._batch_item(session_id, steps[position])

        tasks = [self.work.spawn(play(session_id, positions)) for session_id, positions in by_session.items()]
        await asyncio.shield(asyncio.gather(*tasks))
        return [item for item in items if item is not None]

    async def _batch_item(self, session_id: str, asked: BatchStep) -> BatchItem:
        try:
            session = await self.sessions.get(session_id)
            result = await session.step(asked.seq, asked.action, asked.include)
            return BatchItem(session_id=session_id, result=result)
        except Exception as error:  # noqa: BLE001 - each step is answered by its own problem
            return BatchItem(session_id=session_id, problem=as_problem(error))
        finally:
            self.work.release()

    async def expert(self, session_id: str) -> ExpertAdvice:
        """The expert's advice on a session. Raises ``expert_disabled`` unless the server was started with it."""
        if not self.settings.expert:
            raise RestepError("expert_disabled")
        session: Session = await self.sessions.get(session_id)
        return await self.work.run(session.advice)

    def _check_step(self, asked: StepRequest) -> None:
        check_action(asked.action)
        if asked.include:
            self._check_extras(asked.include)

    def _check_extras(self, include: Sequence[Extra]) -> None:
        offered = self.environment.info().capabilities
        for extra in include:
            if extra not in offered:
                raise RestepError("not_supported", f"this environment does not offer {extra}")
