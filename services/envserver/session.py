"""One episode as a client sees it: steps in order, each executed once, its answer kept.

The record (actions and answers) is the session; the engine's episode is a cache of it. When the engine behind it
dies, hangs or fails in an unforeseen way, the episode is dropped and the record is replayed on a fresh one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from services.envserver.patience import within
from services.envserver.replay import Plan, close_quietly, replay
from services.envserver.work import Work
from shared.environment import Environment, Episode, EpisodeKey
from shared.errors import EngineLost, RestepError
from shared.protocol import ExpertAdvice, Extra, SessionHistory, SessionView, StepResult, observation_hash

log = logging.getLogger(__name__)

T = TypeVar("T")

RECOVERIES: Final = 3
"""How often one call may lose its engine and go on with a fresh one."""
_BACKOFF_SECONDS = 0.05
_RETRY_AFTER = 2.0


@dataclass(slots=True)
class Tally:
    """Counters of a server's life, read by /metrics."""

    steps: int = 0
    invalid_steps: int = 0
    recorded_answers: int = 0
    sessions_created: int = 0
    sessions_forked: int = 0
    sessions_closed: int = 0
    sessions_expired: int = 0
    engines_lost: int = 0
    replays: int = 0
    replays_diverged: int = 0


@dataclass(frozen=True, slots=True)
class Host:
    """What every session of a server shares."""

    environment: Environment
    work: Work
    tally: Tally
    engine_timeout: float
    history_chars: int
    clock: Callable[[], float]


class Session:
    """An episode with its record. All calls may come concurrently; a lock puts them in order."""

    def __init__(
        self,
        session_id: str,
        plan: Plan,
        host: Host,
        *,
        client: str = "",
        prefix: Session | None = None,
        at_seq: int = 0,
    ) -> None:
        self.id = session_id
        self.plan = plan
        self.client = client
        self.busy = 0
        self.touched = host.clock()
        self.results: list[StepResult] = list(prefix.results[:at_seq]) if prefix else []
        self.goal = prefix.goal if prefix else plan.task.goal
        self.observation = prefix.observation if prefix else ""
        self.first_hash = prefix.first_hash if prefix else ""
        self._kept = sum(len(result.action) + len(result.observation) for result in self.results)
        self._host = host
        self._episode: Episode | None = None
        self._lock = asyncio.Lock()
        self._expert_lock = asyncio.Lock()
        self._gone = False
        self._extras: tuple[int, list[str]] | None = None
        self._advice: dict[int, ExpertAdvice] = dict(prefix.advice_until(at_seq)) if prefix else {}

    # --- state ---------------------------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """The episode has ended, by the engine or by the step limit."""
        return bool(self.results) and (self.results[-1].done or self.results[-1].truncated)

    def idle_seconds(self) -> float:
        """Since the last call ended; 0 while one is running or waiting."""
        return 0.0 if self.busy else self._host.clock() - self.touched

    def key(self) -> EpisodeKey:
        """The present state."""
        options = tuple(sorted(self.plan.options.items()))
        return EpisodeKey(self.plan.task.id, self.plan.seed, options, tuple(result.action for result in self.results))

    def advice_until(self, seq: int) -> dict[int, ExpertAdvice]:
        """Expert advice known for the first ``seq`` states and the one after."""
        return {at: advice for at, advice in self._advice.items() if at <= seq}

    def view(self, lease: float) -> SessionView:
        """The session as it stands. ``lease`` is in seconds."""
        return SessionView(**self._fields(lease))

    def history(self, lease: float) -> SessionHistory:
        """The same with every step."""
        return SessionHistory(**self._fields(lease), steps=self.results)

    def _fields(self, lease: float) -> dict[str, Any]:
        info = self._host.environment.info()
        last = self.results[-1] if self.results else None
        extras = self._extras[1] if self._extras and self._extras[0] == 0 and not self.results else None
        return {
            "session_id": self.id,
            "task": self.plan.task.model_copy(update={"goal": self.goal}),
            "seed": self.plan.seed,
            "max_steps": self.plan.max_steps,
            "options": self.plan.options,
            "observation": self.observation,
            "observation_hash": self.first_hash,
            "admissible_actions": extras,
            "seq": len(self.results),
            "score": last.score if last else 0.0,
            "done": last.done if last else False,
            "truncated": last.truncated if last else False,
            "success": last.success if last else False,
            "engine_version": info.engine_version,
            "data_version": info.data_version,
            "expires_in": max(0.0, lease - self.idle_seconds()),
        }

    # --- life ----------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Begin the episode (a fork: replay it). Raises what the environment's reset raises, or ``engine_lost``."""
        async with self._lock:
            await self._with_engine(_nothing)
            if self.plan.include:
                await self._admissible(len(self.results))

    async def close(self) -> None:
        """Wait for the running step, then give the engine back. Idempotent."""
        async with self._lock:
            self._gone = True
            episode, self._episode = self._episode, None
            if episode is not None:
                await close_quietly(episode)

    # --- play ----------------------------------------------------------------------------------------------

    async def step(self, seq: int, action: str, include: Collection[Extra] = ()) -> StepResult:
        """Execute the ``seq``-th action, or give its recorded answer.

        Raises ``step_conflict``, ``step_gap``, ``episode_over``, ``history_full``, ``session_gone``,
        ``engine_lost``, ``timeout``, ``replay_diverged``.
        """
        self.busy += 1
        try:
            async with self._lock:
                if self._gone:
                    raise RestepError("session_gone")
                if seq <= len(self.results):
                    result = self._recorded(seq, action)
                else:
                    result = await self._execute(seq, action)
                if include or self.plan.include:
                    return result.model_copy(update={"admissible_actions": await self._admissible(seq)})
                return result
        finally:
            self.busy -= 1
            self.touched = self._host.clock()

    def _recorded(self, seq: int, action: str) -> StepResult:
        result = self.results[seq - 1]
        if result.action != action:
            raise RestepError("step_conflict", f"step {seq} was executed with another action")
        self._host.tally.recorded_answers += 1
        return result

    async def _execute(self, seq: int, action: str) -> StepResult:
        if self.over:
            raise RestepError("episode_over", f"the episode ended with step {len(self.results)}")
        if seq != len(self.results) + 1:
            raise RestepError("step_gap", f"the next step is {len(self.results) + 1}, not {seq}")
        if self._kept >= self._host.history_chars:
            raise RestepError("history_full", f"a session of this server keeps at most {self._host.history_chars} characters")
        answer = await self._with_engine(lambda episode: episode.step(action))
        result = StepResult(
            seq=seq,
            action=action,
            observation=answer.observation,
            observation_hash=observation_hash(answer.observation),
            reward=answer.score - (self.results[-1].score if self.results else 0.0),
            score=answer.score,
            done=answer.done,
            truncated=not answer.done and seq >= self.plan.max_steps,
            success=answer.success,
            valid=answer.valid,
        )
        self.results.append(result)
        self._kept += len(action) + len(answer.observation)
        tally = self._host.tally
        tally.steps += 1
        tally.invalid_steps += not answer.valid
        return result

    async def _admissible(self, seq: int) -> list[str]:
        """Actions the engine would take after ``seq`` steps. Kept for the present state only; an older one is replayed."""
        if self._extras is not None and self._extras[0] == seq:
            return self._extras[1]
        if seq < len(self.results):
            return await self._past_admissible(self.results[:seq])
        self._extras = None
        actions = await self._with_engine(lambda episode: episode.admissible_actions())
        self._extras = (seq, actions)
        return actions

    async def _past_admissible(self, results: Sequence[StepResult]) -> list[str]:
        try:
            episode = await self._replayed(results)
            try:
                return await within(self._host.engine_timeout, episode.admissible_actions())
            finally:
                await close_quietly(episode)
        except EngineLost:
            raise RestepError("engine_lost", retry_after=_RETRY_AFTER) from None
        except TimeoutError:
            raise self._no_answer() from None

    async def advice(self) -> ExpertAdvice:
        """The expert's word on the present state, computed once a state. Raises ``not_supported``, ``expert_failed``."""
        self.busy += 1
        try:
            async with self._expert_lock:
                key = self.key()
                seq = len(key.actions)
                if seq not in self._advice:
                    self._advice[seq] = await self._ask_expert(key)
                return self._advice[seq]
        finally:
            self.busy -= 1
            self.touched = self._host.clock()

    async def _ask_expert(self, key: EpisodeKey) -> ExpertAdvice:
        for attempt in range(1 + RECOVERIES):
            try:
                return await within(self._host.engine_timeout, self._host.environment.expert(key, self.plan.max_steps))
            except EngineLost:
                await self._after_loss(attempt)
            except TimeoutError:
                raise RestepError("timeout", "the expert took too long", retry_after=_RETRY_AFTER) from None
        raise RestepError("engine_lost", retry_after=_RETRY_AFTER)

    # --- engine --------------------------------------------------------------------------------------------

    async def _with_engine(self, call: Callable[[Episode], Coroutine[Any, Any, T]]) -> T:
        """Call the episode; one that was lost is replayed first, at most ``RECOVERIES`` times in a call."""
        timeout = self._host.engine_timeout
        for attempt in range(1 + RECOVERIES):
            try:
                if self._episode is None:
                    self._episode = await self._replayed(self.results)
                return await within(timeout, call(self._episode))
            except EngineLost:
                self._drop_episode()
                await self._after_loss(attempt)
            except TimeoutError:
                self._drop_episode()
                raise self._no_answer() from None
            except BaseException:
                self._drop_episode()  # its state is unknown; the record is not
                raise
        raise RestepError("engine_lost", retry_after=_RETRY_AFTER)

    def _no_answer(self) -> RestepError:
        detail = f"the engine gave no answer in {self._host.engine_timeout:g} s"
        return RestepError("timeout", detail, retry_after=_RETRY_AFTER)

    async def _after_loss(self, attempt: int) -> None:
        self._host.tally.engines_lost += 1
        log.warning("session %s lost its engine after step %d (loss %d in this call)", self.id, len(self.results), attempt + 1)
        await asyncio.sleep(_BACKOFF_SECONDS * 2**attempt)

    async def _replayed(self, results: Sequence[StepResult]) -> Episode:
        host = self._host
        if not self.first_hash:
            reset = host.environment.reset(self.plan.task.id, self.plan.seed, self.plan.options)
            episode = await within(host.engine_timeout, reset)
            self.goal, self.observation = episode.goal, episode.observation
            self.first_hash = observation_hash(episode.observation)
            return episode
        host.tally.replays += 1
        try:
            return await replay(host.environment, self.plan, self.first_hash, results, host.engine_timeout)
        except RestepError as error:
            host.tally.replays_diverged += error.code == "replay_diverged"
            raise

    def _drop_episode(self) -> None:
        episode, self._episode = self._episode, None
        if episode is not None:
            self._host.work.spawn(close_quietly(episode), closing=True)


async def _nothing(episode: Episode) -> None:
    """Only the episode is wanted."""
