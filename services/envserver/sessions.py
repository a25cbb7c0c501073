"""The sessions a server holds: a bounded number in all and of each client, each on a lease, and a memory of those gone.

Creation is idempotent: an id is taken from the moment it is asked for, so that a repeated request meets the
session in the making instead of making another.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import Counter, OrderedDict
from dataclasses import replace
from typing import Final

from services.envserver.replay import Plan
from services.envserver.session import Host, Session
from shared.errors import RestepError
from shared.protocol import CreateSession, ForkRequest, TaskInfo, fork_id

log = logging.getLogger(__name__)

TOMBSTONES: Final = 16_384
"""Gone sessions remembered, so that they answer 410 and not 404; the oldest are forgotten first."""
_RETRY_AFTER = 5.0
_MAX_REAP_PAUSE = 15.0


class Sessions:
    """Registry of live sessions by id."""

    def __init__(self, host: Host, *, capacity: int, lease: float, per_client: int | None = None) -> None:
        self.capacity = capacity
        self.per_client = capacity if per_client is None else per_client
        self.lease = lease
        self._host = host
        self._held: Counter[str] = Counter()
        self._live: dict[str, Session] = {}
        self._opening: dict[str, asyncio.Task[None]] = {}
        self._gone: OrderedDict[str, str] = OrderedDict()

    def __len__(self) -> int:
        return len(self._live)

    # --- creation ------------------------------------------------------------------------------------------

    async def create(self, session_id: str | None, asked: CreateSession, client: str = "") -> tuple[Session, bool]:
        """The session, and whether it is new; a new one counts among those that ``client`` holds.

        Raises ``session_conflict``, ``session_gone``, ``over_capacity``, ``too_many_sessions``, ``queue_full``, ``draining``,
        ``unknown_task``, ``unknown_split``, ``invalid_option``, ``invalid_request``, ``not_supported``, ``engine_lost``.
        """
        session_id = session_id or str(uuid.uuid4())
        plan = self._plan(asked)
        if (known := self._known(session_id, plan)) is None:
            self._admit(client)
            self._host.tally.sessions_created += 1
            self._begin(Session(session_id, plan, self._host, client=client))
        return await self.get(session_id), known is None

    async def fork(self, source_id: str, asked: ForkRequest, client: str = "") -> tuple[Session, bool]:
        """A new session in the state of another after ``at_seq`` steps (default: all executed), and whether it is new.

        Raises what :meth:`create` raises, ``step_gap`` for a state not reached yet, and ``replay_diverged``.
        """
        origin = (source_id, asked.at_seq)
        made = self._live.get(asked.session_id or "")
        if made is not None and made.plan.origin == origin:
            return await self.get(made.id), False  # repeated, perhaps after the source has gone
        source = await self.get(source_id)
        session_id = asked.session_id or fork_id(source_id)
        at_seq = len(source.results) if asked.at_seq is None else asked.at_seq
        if at_seq > len(source.results):
            raise RestepError("step_gap", f"{len(source.results)} steps were executed; there is no state {at_seq}")
        plan = replace(source.plan, origin=origin)
        if (known := self._known(session_id, plan)) is None:
            self._admit(client)
            self._host.tally.sessions_forked += 1
            self._begin(Session(session_id, plan, self._host, client=client, prefix=source, at_seq=at_seq))
        return await self.get(session_id), known is None

    def _known(self, session_id: str, plan: Plan) -> Session | None:
        session = self._live.get(session_id)
        if session is None:
            self._check_gone(session_id)
            return None
        if session.plan != plan:
            raise RestepError("session_conflict", f"session {session_id} plays another episode")
        return session

    def _plan(self, asked: CreateSession) -> Plan:
        environment = self._host.environment
        info = environment.info()
        for extra in asked.include:
            if extra not in info.capabilities:
                raise RestepError("not_supported", f"this environment does not offer {extra}")
        return Plan(
            task=self._task(asked),
            seed=asked.seed,
            max_steps=asked.max_steps or info.max_steps,
            options=environment.check_options(asked.options),
            include=frozenset(asked.include),
        )

    def _task(self, asked: CreateSession) -> TaskInfo:
        environment = self._host.environment
        if asked.task_id is not None and asked.split is None and asked.index is None:
            return environment.task(asked.task_id)
        if asked.task_id is None and asked.split is not None and asked.index is not None:
            tasks = environment.tasks(asked.split)
            if asked.index >= len(tasks):
                raise RestepError("unknown_task", f"split {asked.split} has {len(tasks)} tasks, no index {asked.index}")
            return tasks[asked.index]
        raise RestepError("invalid_request", "give either task_id, or split and index")

    def _admit(self, client: str) -> None:
        if self._host.work.draining:
            raise RestepError("draining", retry_after=_RETRY_AFTER)
        if len(self._live) >= self.capacity or self._held[client] >= self.per_client:
            self.reap()
        if len(self._live) >= self.capacity:
            raise RestepError("over_capacity", f"the server holds {self.capacity} sessions", retry_after=_RETRY_AFTER)
        if self._held[client] >= self.per_client:
            detail = f"one client may hold {self.per_client} sessions here"
            raise RestepError("too_many_sessions", detail, retry_after=_RETRY_AFTER)
        limit = self._host.environment.opening_limit
        if limit is not None and len(self._opening) >= limit:
            raise RestepError("queue_full", f"{limit} sessions are being begun", retry_after=_RETRY_AFTER)

    def _begin(self, session: Session) -> None:
        self._live[session.id] = session
        self._held[session.client] += 1
        session.busy += 1
        self._opening[session.id] = self._host.work.spawn(self._open(session))

    async def _open(self, session: Session) -> None:
        try:
            await session.open()
        except BaseException:
            if self._live.get(session.id) is session:
                self._forget(session)
            await session.close()
            raise
        finally:
            session.busy -= 1
            session.touched = self._host.clock()
            del self._opening[session.id]

    # --- use -----------------------------------------------------------------------------------------------

    async def get(self, session_id: str) -> Session:
        """A session that has begun; its lease is renewed. Raises ``session_not_found``, ``session_gone``."""
        session = self._live.get(session_id)
        if session is None:
            self._check_gone(session_id)
            raise RestepError("session_not_found", f"no session {session_id}")
        if (opening := self._opening.get(session_id)) is not None:
            await asyncio.shield(opening)
        session.touched = self._host.clock()
        return session

    def _check_gone(self, session_id: str) -> None:
        if (how := self._gone.get(session_id)) is not None:
            raise RestepError("session_gone", f"session {session_id} {how}")

    def page(self, offset: int, limit: int) -> list[Session]:
        """Sessions that have begun, in the order of their creation."""
        begun = [session for session in self._live.values() if session.id not in self._opening]
        return begun[offset : offset + limit]

    # --- end -----------------------------------------------------------------------------------------------

    async def close(self, session_id: str) -> None:
        """End a session; one that is unknown or gone already is no error. Waits for the step in flight."""
        if (session := self._live.get(session_id)) is not None:
            self._host.tally.sessions_closed += 1
            await asyncio.shield(self._remove(session, "was closed"))

    def reap(self) -> int:
        """End the sessions whose lease has run out and on which nothing is running. Returns how many."""
        expired = [session for session in self._live.values() if session.idle_seconds() >= self.lease]
        for session in expired:
            log.info("lease of session %s expired after step %d", session.id, len(session.results))
            self._host.tally.sessions_expired += 1
            self._remove(session, f"expired after {self.lease:g} idle seconds")
        return len(expired)

    async def reap_forever(self) -> None:
        """Reap at a pace that fits the lease; runs until cancelled."""
        while True:
            await asyncio.sleep(min(self.lease / 4, _MAX_REAP_PAUSE))
            self.reap()

    def close_all(self) -> None:
        """Begin to end every session; for shutdown."""
        for session in list(self._live.values()):
            self._remove(session, "ended with the server")

    def _forget(self, session: Session) -> None:
        del self._live[session.id]
        self._held[session.client] -= 1
        if not self._held[session.client]:
            del self._held[session.client]

    def _remove(self, session: Session, how: str) -> asyncio.Task[None]:
        self._forget(session)
        self._gone[session.id] = how
        while len(self._gone) > TOMBSTONES:
            self._gone.popitem(last=False)
        return self._host.work.spawn(session.close(), closing=True)
