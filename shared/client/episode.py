"""An episode on a server that may die: the record lives here, the session there is a cache of it.

When the server no longer knows the session (it was restarted, it is another replica, the lease ran out), the recorded
actions are played again in a new session and every answer is compared with the record; only then does play go on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Self, TypeVar
from uuid import uuid4

from shared.client.transport import Transport
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

T = TypeVar("T")

RECOVERIES: Final = 5
"""How often one call may find its session lost and replay it."""
_LOST: Final = frozenset({"session_not_found", "session_gone"})
_CLOSE_PATIENCE: Final = 1.0


class RemoteEpisode:
    """One episode. Calls may come concurrently; they are executed one after the other.

    ``view`` is the session as it was opened (task, goal, first observation), ``steps`` what was played since.
    """

    def __init__(
        self, transport: Transport, view: SessionView, include: Sequence[Extra] = (), steps: Sequence[StepResult] = ()
    ) -> None:
        self.view = view
        self.session_id = view.session_id
        self.steps: list[StepResult] = list(steps)
        self._transport = transport
        self._include: list[Extra] = list(include)
        self._lock = asyncio.Lock()
        self._lost = False
        self._closed = False

    @classmethod
    async def open(cls, transport: Transport, asked: CreateSession) -> Self:
        """Begin an episode. Raises what the server raises, and what :meth:`Transport.call` does."""
        view = await _create(transport, asked)
        if observation_hash(view.observation) != view.observation_hash:
            raise RestepError("protocol_violation", f"session {view.session_id}: the first observation does not match its hash")
        return cls(transport, view, asked.include)

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
        :meth:`Transport.call` does. After a failure the same call may be made again.
        """
        async with self._lock:
            return await self._step(action)

    async def expert(self) -> ExpertAdvice:
        """The expert's continuation from here and its verdict on the last step.

        Raises ``expert_disabled``, ``not_supported``, ``expert_failed``.
        """
        async with self._lock:

            async def ask() -> ExpertAdvice:
                return await self._transport.call("GET", f"/v1/sessions/{self.session_id}/expert", ExpertAdvice)

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
                path, patience = f"/v1/sessions/{self.session_id}/fork", self._transport.retry.patience
                return await self._transport.call("POST", path, SessionView, body=asked, patience=patience)

            view = await self._on_session(ask)
            if (view.seq, view.observation_hash) != (seq, self.view.observation_hash):
                raise RestepError("protocol_violation", f"fork of state {seq} is in state {view.seq} or of another episode")
            return RemoteEpisode(self._transport, view, self._include, self.steps[:seq])

    async def close(self) -> None:
        """Give the session back. Idempotent and quiet: a server that cannot be told lets the lease run out."""
        async with self._lock:
            if not self._closed:
                self._closed = True
                await _delete(self._transport, self.session_id)

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
            return await self._transport.call("POST", f"/v1/sessions/{self.session_id}/steps", StepResult, body=asked)

        return self._record(await self._on_session(send), action)

    def _record(self, result: StepResult, action: str) -> StepResult:
        """Append a checked answer; a wrong one leaves the record as it was."""
        _check_answer(result, len(self.steps) + 1, action)
        self.steps.append(result)
        return result

    async def _on_session(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call on the session, with a replayed one in its place where it is lost."""
        lost: RestepError | None = None
        for _ in range(1 + RECOVERIES):
            if self._closed:
                raise RestepError("session_gone", "this client closed the episode")
            try:
                if self._lost:
                    await self._recover()
                    self._lost = False
                return await call()
            except RestepError as error:
                if error.code not in _LOST:
                    raise
                self._lost, lost = True, error
        raise lost or RestepError("session_gone")

    async def _recover(self) -> None:
        """Play the record in a new session. Raises ``replay_diverged`` with the first difference."""
        task, old = self.view.task, self.view
        asked = CreateSession(task_id=task.id, seed=old.seed, max_steps=old.max_steps, options=old.options)
        view = await _create(self._transport, asked)
        try:
            if view.observation_hash != old.observation_hash:
                raise _diverged(old, view, 0, f"observation {view.observation_hash}, recorded {old.observation_hash}")
            for recorded in self.steps:
                path = f"/v1/sessions/{view.session_id}/steps"
                sent = StepRequest(seq=recorded.seq, action=recorded.action)
                result = await self._transport.call("POST", path, StepResult, body=sent)
                _check_answer(result, recorded.seq, recorded.action)
                if _essence(result) != _essence(recorded):
                    raise _diverged(old, view, recorded.seq, f"{_essence(result)}, recorded {_essence(recorded)}")
        except RestepError as error:
            if error.code not in _LOST:
                await _delete(self._transport, view.session_id)
            raise
        log.warning("task %s: session %s was lost; replayed %d steps", task.id, self.session_id, len(self.steps))
        self.session_id = view.session_id


async def _create(transport: Transport, asked: CreateSession) -> SessionView:
    """A new session under an id of our own. A repeated request may find that the id died with a server: then another."""
    for _ in range(RECOVERIES):
        try:
            return await transport.call("PUT", f"/v1/sessions/{uuid4()}", SessionView, body=asked)
        except RestepError as error:
            if error.code not in _LOST:
                raise
    return await transport.call("PUT", f"/v1/sessions/{uuid4()}", SessionView, body=asked)


async def _delete(transport: Transport, session_id: str) -> None:
    try:
        await transport.send("DELETE", f"/v1/sessions/{session_id}", patience=_CLOSE_PATIENCE)
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
