"""The seam between the framework and a benchmark: what an engine must offer to be served.

An environment is deterministic given (engine version, data version, task, seed, options, actions); so there are
no snapshots: a state *is* its :class:`EpisodeKey`, and whoever needs it again replays it.
Methods are coroutines: an engine that blocks hands its work to threads or processes of its own, one that answers
in microseconds simply returns. Neither may ever block the event loop.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.errors import RestepError
from shared.protocol import EnvironmentInfo, ExpertAdvice, TaskInfo


@dataclass(frozen=True, slots=True)
class EpisodeKey:
    """Everything that determines a state. ``options`` are sorted pairs, so that equal states are equal keys."""

    task_id: str
    seed: int
    options: tuple[tuple[str, str], ...]
    actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EngineStep:
    """What the engine answered to one action. ``score`` is the benchmark's own as a fraction."""

    observation: str
    score: float
    done: bool
    success: bool
    valid: bool


class Episode(ABC):
    """One live episode in an engine. Used by one caller at a time; the framework serialises."""

    @property
    @abstractmethod
    def goal(self) -> str:
        """The task statement."""

    @property
    @abstractmethod
    def observation(self) -> str:
        """The first observation."""

    @abstractmethod
    async def step(self, action: str) -> EngineStep:
        """Execute one action. Raises :class:`shared.errors.EngineLost` when the engine behind it died."""

    async def admissible_actions(self) -> list[str]:
        """Actions the engine would take now; asking changes nothing. Raises EngineLost, or ``not_supported``."""
        raise RestepError("not_supported", "this environment does not list admissible actions")

    @abstractmethod
    async def close(self) -> None:
        """Give the engine's resources back. Idempotent, and quiet when the engine is already dead."""


class Environment(ABC):
    """One benchmark: its tasks, its engine and its expert."""

    opening_limit: int | None = None
    """New sessions that may wait for their first observation at once; over it the server answers 429. None: any number.

    For an engine that begins episodes slowly: a queue of them must be worked off within the time one call may take.
    """

    @abstractmethod
    async def start(self) -> None:
        """Load engine and data. Raises ``data_not_found`` or ``missing_extra``; until it returns nothing is served."""

    @abstractmethod
    async def stop(self) -> None:
        """End every process and thread that :meth:`start` began. Idempotent."""

    @abstractmethod
    def info(self) -> EnvironmentInfo:
        """Versions, splits, grammar, instruction and options; capacity and sessions are the framework's to fill in."""

    @abstractmethod
    def tasks(self, split: str | None = None, type: str | None = None) -> Sequence[TaskInfo]:
        """Tasks in their stable order. Raises ``unknown_split``."""

    @abstractmethod
    def task(self, task_id: str) -> TaskInfo:
        """One task. Raises ``unknown_task``."""

    def check_options(self, options: Mapping[str, str]) -> dict[str, str]:
        """The options completed with defaults, by the table in :meth:`info`. Raises ``invalid_option``."""
        known = {option.name: option for option in self.info().options}
        for name, value in options.items():
            if name not in known:
                raise RestepError("invalid_option", f"unknown option {name!r}; known: {', '.join(known) or 'none'}")
            if known[name].values and value not in known[name].values:
                raise RestepError("invalid_option", f"option {name!r} takes {', '.join(known[name].values)}; not {value!r}")
        return {option.name: options.get(option.name, option.default) for option in known.values()}

    @abstractmethod
    async def reset(self, task_id: str, seed: int, options: Mapping[str, str]) -> Episode:
        """Begin an episode. Raises ``unknown_task``, ``invalid_option``, EngineLost."""

    async def expert(self, key: EpisodeKey, max_steps: int) -> ExpertAdvice:
        """The expert's continuation from a state and its verdict on the last action of ``key``.

        Privileged. Runs beside live episodes and leaves them untouched. Raises ``not_supported`` or
        ``expert_failed``.
        """
        raise RestepError("not_supported", "this environment has no expert")

    def metrics(self) -> Mapping[str, float]:
        """Gauges of the engine (workers alive, restarts, queue), by snake_case name; exported at /metrics."""
        return {}
