"""ScienceWorld as an :class:`shared.environment.Environment`: episodes on JVM shards.

Follows the benchmark (Wang et al., arXiv 2203.07540; package ``scienceworld``): an episode ends when its goal is met
or its score falls below zero, it is a success at score 1.0, and the observation is the simulator's text unchanged.
Steps are counted by the framework: the engine's own counter stands still on actions it does not understand.
A session's seed changes nothing: the simulator draws all its random numbers from the variation.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from services.sciworld import jvm
from services.sciworld.expert import Expert
from services.sciworld.gold import GoldPaths
from services.sciworld.instruction import ACTION_GRAMMAR, INSTRUCTION
from services.sciworld.shard import Shard
from services.sciworld.simulator import Simulator
from services.sciworld.tasks import (
    EASY,
    SIMPLIFICATIONS,
    VARIATIONS,
    TaskTable,
    check_simplification,
    is_electrical,
    parse_task_id,
)
from shared.environment import EngineStep, Environment, Episode, EpisodeKey
from shared.errors import EngineLost, RestepError
from shared.protocol import EnvironmentInfo, ExpertAdvice, OptionInfo, TaskInfo

MAX_STEPS: Final = 100
MAX_WORKERS: Final = 4
OPENINGS_A_WORKER: Final = 16
"""Episodes that may wait to begin on a JVM: seconds of work, on a crowded machine a minute, and a call may take two."""
ENGINE_VERSION: Final = f"scienceworld {jvm.SCIENCEWORLD_VERSION} (hashCode=2)"
T = TypeVar("T")


class SciWorldEpisode(Episode):
    """One episode: a simulator on a shard."""

    def __init__(self, shard: Shard, simulator: Simulator, goal: str, observation: str) -> None:
        self._shard = shard
        self._simulator: Simulator | None = simulator
        self._goal = goal
        self._observation = observation

    @property
    def goal(self) -> str:
        """The engine's task description."""
        return self._goal

    @property
    def observation(self) -> str:
        """The reply to a free look."""
        return self._observation

    async def step(self, action: str) -> EngineStep:
        """Execute one action; ``reset task`` is not understood, see :meth:`Simulator.step`."""
        reply = await self._shard.run(self._live().step, action)
        return EngineStep(reply.observation, reply.score, reply.done, success=reply.score == 1.0, valid=reply.valid)

    async def admissible_actions(self) -> list[str]:
        """The engine's valid action-object combinations; see :meth:`Simulator.valid_actions`."""
        return await self._shard.run(self._live().valid_actions)

    async def close(self) -> None:
        """Give the simulator back to its shard."""
        simulator, self._simulator = self._simulator, None
        if simulator is None:
            return
        self._shard.episodes -= 1
        try:
            await self._shard.run(self._shard.release, simulator)
        except EngineLost:
            return

    def _live(self) -> Simulator:
        if self._simulator is None:
            raise EngineLost("the episode is closed")
        return self._simulator


class SciWorld(Environment):
    """The benchmark on ``workers`` JVMs (default: one a core, at most 4)."""

    name = "sciworld"

    def __init__(self, workers: int | None = None, launch: Callable[[], jvm.Jvm] = jvm.Jvm) -> None:
        self.shards = [Shard(index, launch) for index in range(workers or min(os.cpu_count() or 1, MAX_WORKERS))]
        self.opening_limit = OPENINGS_A_WORKER * len(self.shards)
        self._tasks = TaskTable()
        self._expert = Expert(self.shards, GoldPaths(), spare=lambda: Shard(len(self.shards), launch))
        self._data_version = ""

    async def start(self) -> None:
        """Start every JVM. Raises ``engine_failed`` or ``missing_extra``, with nothing left running."""
        self._data_version = await asyncio.to_thread(_content_hash)
        outcomes = await asyncio.gather(*(shard.start() for shard in self.shards), return_exceptions=True)
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        if failures:
            await self.stop()
            raise failures[0]

    async def stop(self) -> None:
        """End every JVM."""
        await self._expert.close()
        await asyncio.gather(*(shard.stop() for shard in self.shards))

    def info(self) -> EnvironmentInfo:
        """Versions, splits, grammar, instruction, options."""
        labels = ", ".join(SIMPLIFICATIONS)
        return EnvironmentInfo(
            name=self.name,
            engine_version=ENGINE_VERSION,
            data_version=self._data_version,
            splits=self._tasks.splits(),
            task_types=list(VARIATIONS),
            action_grammar=list(ACTION_GRAMMAR),
            instruction=INSTRUCTION,
            max_steps=MAX_STEPS,
            options=[
                OptionInfo(
                    name="simplification",
                    description=f"empty (the benchmark as it is), '{EASY}', or some of {labels}, separated by commas",
                    default="",
                )
            ],
            capabilities=["admissible_actions", "expert", "fork"],
        )

    def tasks(self, split: str | None = None, type: str | None = None) -> Sequence[TaskInfo]:
        """Tasks in the benchmark's order."""
        return self._tasks.select(split, type)

    def task(self, task_id: str) -> TaskInfo:
        """One task."""
        return self._tasks.get(task_id)

    def check_options(self, options: Mapping[str, str]) -> dict[str, str]:
        """The options completed, the simplification in canonical form. Raises ``invalid_option``."""
        checked = super().check_options(options)
        return {**checked, "simplification": check_simplification(checked["simplification"])}

    async def reset(self, task_id: str, seed: int, options: Mapping[str, str]) -> SciWorldEpisode:
        """Begin an episode on the shard with the fewest; ``seed`` has nothing to act on."""
        task, variation = parse_task_id(task_id)
        simplification = self.check_options(options)["simplification"]
        if is_electrical(task) and "noElectricalAction" in simplification:
            raise RestepError("invalid_option", f"task {task!r} needs the actions that noElectricalAction takes away")
        shard = self.least_loaded()
        shard.episodes += 1
        try:
            return await shard.run(_begin, shard, task, variation, simplification)
        except BaseException:
            shard.episodes -= 1
            raise

    async def expert(self, key: EpisodeKey, max_steps: int) -> ExpertAdvice:
        """The continuation from a state and the verdict on its last action: see :mod:`services.sciworld.verdict`."""
        return await self._expert.advise(key, max_steps)

    async def run(self, function: Callable[[Shard], T]) -> T:
        """Run ``function(shard)`` on the thread of the least loaded shard: see :meth:`Shard.run`."""
        shard = self.least_loaded()
        return await shard.run(function, shard)

    def least_loaded(self) -> Shard:
        """The shard with the fewest episodes, then the least queued work; one without a JVM comes last."""
        return min(self.shards, key=lambda shard: (not shard.alive, shard.episodes, shard.pending))

    def metrics(self) -> Mapping[str, float]:
        """Gauges of the shards."""
        return {
            "workers_alive": sum(shard.alive for shard in self.shards),
            "worker_restarts": sum(shard.restarts for shard in self.shards),
            "queued_calls": sum(shard.pending for shard in self.shards),
            "simulators_in_use": sum(shard.episodes for shard in self.shards),
        }


def _begin(shard: Shard, task: str, variation: int, simplification: str) -> SciWorldEpisode:
    """Start an episode; on the shard's thread."""
    simulator = shard.acquire()
    goal = simulator.load(task, variation, simplification)
    return SciWorldEpisode(shard, simulator, goal, simulator.look())


def _content_hash() -> str:
    """First 16 hex digits of the SHA-256 of what decides every text: the simulator's jar and its table of tasks."""
    digest = hashlib.sha256()
    for name in ("scienceworld.jar", "tasks.json"):
        digest.update((jvm.package_folder() / name).read_bytes())
    return digest.hexdigest()[:16]
