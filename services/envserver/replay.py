"""A state is its key: whoever needs it again replays the actions on a fresh episode and checks every answer.

Recovery after an engine's death, forks and late extras all come through here; a difference is never silent.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from services.envserver.patience import within
from shared.environment import Environment, Episode
from shared.errors import RestepError
from shared.protocol import Extra, StepResult, TaskInfo, observation_hash

log = logging.getLogger(__name__)

_CLOSE_SECONDS = 30.0


@dataclass(frozen=True)
class Plan:
    """What a session plays, resolved; two creations are the same exactly when their plans are equal."""

    task: TaskInfo
    seed: int
    max_steps: int
    options: dict[str, str]
    include: frozenset[Extra]
    origin: tuple[str, int | None] | None = None
    """For a fork: the session it was asked of, and ``at_seq`` as asked for."""


async def replay(
    environment: Environment, plan: Plan, first_hash: str, results: Sequence[StepResult], timeout: float
) -> Episode:
    """A fresh episode in the state after ``results``.

    Each engine call may take ``timeout`` seconds. Raises ``replay_diverged``, EngineLost, TimeoutError.
    """
    episode = await within(timeout, environment.reset(plan.task.id, plan.seed, plan.options))
    try:
        _check(plan, 0, first_hash, observation_hash(episode.observation))
        for result in results:
            answer = await within(timeout, episode.step(result.action))
            _check(
                plan,
                result.seq,
                (result.observation_hash, result.score, result.done),
                (observation_hash(answer.observation), answer.score, answer.done),
            )
    except BaseException:
        await close_quietly(episode)
        raise
    return episode


def _check(plan: Plan, seq: int, recorded: object, replayed: object) -> None:
    if recorded != replayed:
        log.error("replay diverged: task %s seed %d step %d: %s, recorded %s", plan.task.id, plan.seed, seq, replayed, recorded)
        raise RestepError("replay_diverged", f"task {plan.task.id}: step {seq} gave {replayed}, recorded was {recorded}")


async def close_quietly(episode: Episode) -> None:
    """Give an episode back; an engine that fails to let go in time is logged, never the caller's problem."""
    try:
        await within(_CLOSE_SECONDS, episode.close())
    except Exception:
        log.exception("closing an episode failed")
