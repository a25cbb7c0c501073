"""An episode on a server that may die: the record lives here, the session there is a cache of it.

When the server no longer knows the session (it was restarted, it is another replica, the lease ran out), or is gone
and there are others, the recorded actions are played again in a new session and every answer is compared with the
record; only then does play go on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Self, TypeVar
from uuid import uuid4

from pydantic import BaseModel

from shared.client.endpoint import Endpoint, ServerLost
from shared.client.endpoints import Endpoints
from shared.errors import RestepError
from shared.protocol import (
    BatchItem,
    BatchStep,
    CreateSession,
    ExpertAdvice,
    Extra,
    ForkRequest,
    SessionView,
    StepRequest,
    StepResult,
    fork_id,
    observation_hash,
)

log = logging.getLogger(__name__)

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")

RECOVERIES: Final = 5
"""How often one call may find its session or its server lost, and replay."""
_LOST: Final = frozenset({"session_not_found", "session_gone"})
_CLOSE_PATIENCE: Final = 1.0


class RemoteEpisode:
    """One episode. Calls may come concurrently; they are executed one after the other.

    ``view`` is the session as it was opened (task, goal, first observation), ``steps`` what was played since;
    ``endpoint`` is the server it is on now.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        endpoint: Endpoint,
        view: SessionView,
        include: Sequence[Extra] = (),
        steps: Sequence[StepResult] = (),
    ) -> None:
        self.view = view
        self.session_id = view.session_id
        self.steps: list[StepResult] = list(steps)
        self.endpoint = endpoint
        self._endpoints = endpoints
        self._include: list[Extra] = list(include)
        self._lock = asyncio.Lock()
        self._lost = False
        self._closed = False

    @classmethod
    async def open(cls, endpoints: Endpoints, asked: CreateSession) -> Self:
        """Begin an episode. Raises what the server raises, and what :meth:`Endpoints.place` does."""

        async def begin(endpoint: Endpoint) -> SessionView:
            view = await _create(endpoints, endpoint, asked)
            if observation_hash(view.observation) != view.observation_hash:
                wrong = f"session {view.session_id}: the first observation does not match its hash"
                raise RestepError("protocol_violation", wrong)
            return view

        endpoint, view = await endpoints.place(begin, stays=True)
        return cls(endpoints, endpoint, view, asked.include)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def last(self) -> StepResult | None:
        """The last step, or None before the first."""
        return self.steps[-1] if self.steps else None

    @property
    def over(self) -> bool:
        """The engine or the step limit ended the episode."""
        return self.last is not None and (self.last.done or self.last.truncated)

    @property
    def score(self) -> float:
        """The benchmark's score so far, as a fraction."""
        return self.last.score if self.last else 0.0

    async def step(self, action: str) -> StepResult:
        """Execute the next action, once, however often it has to be sent.

        Raises what the server raises (``episode_over``, ``action_too_large``, ...), ``replay_diverged``, and what
        :meth:`Endpoints.place` does. After a failure the same call may be made again.
        """
        async with self._lock:
            return await self._step(action)

    async def expert(self) -> ExpertAdvice:
        """The expert's continuation from here and its verdict on the last step.

        Raises ``expert_disabled``, ``not_supported``, ``expert_failed``.
        """
        async with self._lock:

            async def ask() -> ExpertAdvice:
                return await self._ask("GET", "/expert", ExpertAdvice)

            advice = await self._on_session(ask)
        if advice.seq != len(self.steps):
            raise RestepError("protocol_violation", f"advice on state {advice.seq}, asked in state {len(self.steps)}")
        return advice

    async def fork(self, at_seq: int | None = None) -> RemoteEpisode:
        """An independent episode in the state after ``at_seq`` steps (default: all). Raises ``step_gap``."""
        async with self._lock:
            seq = len(self.steps) if at_seq is None else at_seq
            asked = ForkRequest(at_seq=seq, session_id=fork_id(self.session_id))

            async def ask() -> SessionView:
                # Whoever asks holds a place: if all who do waited for others to leave theirs, none ever would.
                return await self._ask("POST", "/fork", SessionView, asked, queueing=False)

            view = await self._on_session(ask)
            if (view.seq, view.observation_hash) != (seq, self.view.observation_hash):
                raise RestepError("protocol_violation", f"fork of state {seq} is in state {view.seq} or of another episode")
            self._endpoints.stay(self.endpoint)
            return RemoteEpisode(self._endpoints, self.endpoint, view, self._include, self.steps[:seq])

    async def close(self) -> None:
        """Give the session back. Idempotent and quiet: a server that cannot be told lets the lease run out."""
        async with self._lock:
            if not self._closed:
                self._closed = True
                self._endpoints.leave(self.endpoint)
                if self._endpoints.lost(self.endpoint):
                    self.endpoint.left_behind.add(self.session_id)
                else:
                    await _delete(self.endpoint, self.session_id)

    # --- for batches, which hold the lock of every episode in them ----------------------------------------------

    @property
    def lock(self) -> asyncio.Lock:
        """Held while a call of this episode is made."""
        return self._lock

    def next_step(self, action: str) -> BatchStep:
        """The next step as one of a batch."""
        seq = len(self.steps) + 1
        return BatchStep(session_id=self.session_id, seq=seq, action=action, include=self._include)

    async def settle(self, action: str, item: BatchItem | None) -> StepResult | RestepError:
        """The outcome of a step of a batch; None: it was not tried.

        What failed for a passing reason (a full queue, a lost session) is made again on its own; behind a gateway a
        batch reaches one server, and a session that it does not know may be well on another.
        """
        try:
            if item is not None and item.result is not None:
                return self._record(item.result, action)
            if item is not None and item.problem is not None:
                error = RestepError.from_problem(item.problem)
                if error.code not in _LOST and not error.retryable:
                    return error
                await asyncio.sleep(error.retry_after or 0.0)
            return await self._step(action)
        except RestepError as error:
            return error

    # --- the session behind it ---------------------------------------------------------------------------------

    async def _step(self, action: str) -> StepResult:
        async def send() -> StepResult:
            asked = StepRequest(seq=len(self.steps) + 1, action=action, include=self._include)
            return await self._ask("POST", "/steps", StepResult, asked)

        return self._record(await self._on_session(send), action)

    def _record(self, result: StepResult, action: str) -> StepResult:
        """Append a checked answer; a wrong one leaves the record as it was."""
        _check_answer(result, len(self.steps) + 1, action)
        self.steps.append(result)
        return result

    async def _ask(self, method: str, part: str, answer: type[M], body: BaseModel | None = None, *, queueing: bool = True) -> M:
        path = f"/v1/sessions/{self.session_id}{part}"
        return await self._endpoints.ask(self.endpoint, method, path, answer, body=body, queueing=queueing)

    async def _on_session(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call on the session, with a replayed one in its place where it is lost, or its server is."""
        lost: RestepError | None = None
        for _ in range(1 + RECOVERIES):
            if self._closed:
                raise RestepError("session_gone", "this client closed the episode")
            try:
                if self._lost:
                    await self._recover()
                    self._lost = False
                return await call()
            except ServerLost as gone:
                self._lost, lost = True, gone.error
            except RestepError as error:
                if error.code not in _LOST:
                    raise
                self._lost, lost = True, error
        raise lost or RestepError("session_gone")

    async def _recover(self) -> None:
        """Play the record in a new session, on the same server if it is there. Raises ``replay_diverged``."""
        endpoint, view = await self._endpoints.place(self._replay, prefer=self.endpoint, stays=True)
        self._endpoints.leave(self.endpoint)
        if self._endpoints.lost(self.endpoint):
            self.endpoint.left_behind.add(self.session_id)
        log.warning(
            "task %s: session %s was lost; replayed %d steps at %s",
            self.view.task.id,
            self.session_id,
            len(self.steps),
            endpoint.name,
        )
        self.endpoint, self.session_id = endpoint, view.session_id

    async def _replay(self, endpoint: Endpoint) -> SessionView:
        """A new session in which the record was played. Raises ``replay_diverged`` with the first difference."""
        task, old = self.view.task, self.view
        asked = CreateSession(task_id=task.id, seed=old.seed, max_steps=old.max_steps, options=old.options)
        view = await _create(self._endpoints, endpoint, asked)
        path = f"/v1/sessions/{view.session_id}/steps"
        try:
            if view.observation_hash != old.observation_hash:
                raise _diverged(old, view, 0, f"observation {view.observation_hash}, recorded {old.observation_hash}")
            for recorded in self.steps:
                sent = StepRequest(seq=recorded.seq, action=recorded.action)
                result = await self._endpoints.ask(endpoint, "POST", path, StepResult, body=sent)
                _check_answer(result, recorded.seq, recorded.action)
                if _essence(result) != _essence(recorded):
                    raise _diverged(old, view, recorded.seq, f"{_essence(result)}, recorded {_essence(recorded)}")
        except RestepError as error:
            if error.code not in _LOST:
                await _delete(endpoint, view.session_id)
            raise
        return view


async def _create(endpoints: Endpoints, endpoint: Endpoint, asked: CreateSession) -> SessionView:
    """A new session under an id of our own. A repeated request may find that the id died with a server: then another."""

    async def create() -> SessionView:
        return await endpoints.ask(endpoint, "PUT", f"/v1/sessions/{uuid4()}", SessionView, body=asked, movable=True)

    for _ in range(RECOVERIES):
        try:
            return await create()
        except RestepError as error:
            if error.code not in _LOST:
                raise
    return await create()


async def _delete(endpoint: Endpoint, session_id: str) -> None:
    try:
        await endpoint.transport.send("DELETE", f"/v1/sessions/{session_id}", patience=_CLOSE_PATIENCE)
    except RestepError as error:
        log.debug("session %s is left to its lease: %s", session_id, error)


def _check_answer(result: StepResult, seq: int, action: str) -> None:
    if (result.seq, result.action) != (seq, action):
        raise RestepError("protocol_violation", f"asked for step {seq}, answered with step {result.seq} or another action")
    if observation_hash(result.observation) != result.observation_hash:
        raise RestepError("protocol_violation", f"step {seq}: the observation does not match its hash")


def _essence(result: StepResult) -> tuple[str, float, bool, bool]:
    return (result.observation_hash, result.score, result.done, result.truncated)


def _diverged(old: SessionView, new: SessionView, seq: int, difference: str) -> RestepError:
    versions = f"engine {old.engine_version} and data {old.data_version}, now {new.engine_version} and {new.data_version}"
    log.error("replay diverged: task %s seed %d step %d: %s (%s)", old.task.id, old.seed, seq, difference, versions)
    return RestepError("replay_diverged", f"task {old.task.id}, step {seq}: {difference} ({versions})")
