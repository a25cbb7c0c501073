"""ALFWorld as an :class:`shared.environment.Environment`: tasks of a library, played by either engine.

Follows the benchmark (Shridhar et al., arXiv 2010.03768; package ``alfworld``): an episode ends when its goal is met,
which is score 1 and success; the observation is the engine's text unchanged. A session's seed changes nothing in the
game; it chooses among the human task descriptions where those are asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.alfworld.engine import Engine
from services.alfworld.expert import EXPLORER, PLANNER, Expert
from services.alfworld.instruction import ACTION_GRAMMAR, INSTRUCTION
from services.alfworld.source import GameText, Library
from services.alfworld.wording import NEW
from shared.environment import EngineStep, Environment, Episode, EpisodeKey
from shared.errors import RestepError
from shared.protocol import EnvironmentInfo, ExpertAdvice, OptionInfo, SplitInfo, TaskInfo

MAX_STEPS: Final = 50
GAME: Final = "game"
ANNOTATION: Final = "annotation"


class Described(Episode):
    """An episode with its goal in the words of a person."""

    def __init__(self, episode: Episode, goal: str) -> None:
        self._episode = episode
        self._goal = goal

    @property
    def goal(self) -> str:
        """A human description of the task."""
        return self._goal

    @property
    def observation(self) -> str:
        """The first observation."""
        return self._episode.observation

    async def step(self, action: str) -> EngineStep:
        """Execute one action."""
        return await self._episode.step(action)

    async def admissible_actions(self) -> list[str]:
        """Every command that can be carried out now, sorted."""
        return await self._episode.admissible_actions()

    async def close(self) -> None:
        """Give the engine's resources back."""
        await self._episode.close()


@dataclass(frozen=True, slots=True)
class _Loaded:
    library: Library
    info: EnvironmentInfo
    expert: Expert


class AlfWorld(Environment):
    """The benchmark on ``engine``; ``open_library`` is called once, at the start and off the event loop."""

    name = "alfworld"

    def __init__(self, open_library: Callable[[], Library], engine: Engine) -> None:
        self.engine = engine
        self._open_library = open_library
        self._loaded: _Loaded | None = None

    async def start(self) -> None:
        """Find the games and start the engine. Raises ``data_not_found``, ``data_corrupt``, ``missing_extra``."""
        library = await asyncio.to_thread(self._open_library)
        await self.engine.start()
        self._loaded = _Loaded(library, self._describe(library), Expert(library.load))

    async def stop(self) -> None:
        """End the engine and the expert."""
        if self._loaded is not None:
            self._loaded.expert.close()
        await self.engine.stop()

    def info(self) -> EnvironmentInfo:
        """Versions, splits, grammar, instruction, options. Raises ``not_ready`` before the start."""
        return self._here.info

    def tasks(self, split: str | None = None, type: str | None = None) -> Sequence[TaskInfo]:
        """Tasks in the library's order."""
        return self._here.library.tasks(split, type)

    def task(self, task_id: str) -> TaskInfo:
        """One task."""
        return self._here.library.task(task_id)

    async def reset(self, task_id: str, seed: int, options: Mapping[str, str]) -> Episode:
        """Begin an episode. A task without human descriptions is ``invalid_option`` where one is asked for."""
        library = self._here.library
        chosen = self.check_options(options)
        library.task(task_id)
        episode = await self.engine.begin(task_id, lambda: library.load(task_id), chosen["action_style"])
        if chosen["goal"] == GAME:
            return episode
        try:
            text = await asyncio.to_thread(library.load, task_id)
            return Described(episode, _description(text, seed))
        except BaseException:
            await episode.close()
            raise

    async def expert(self, key: EpisodeKey, max_steps: int) -> ExpertAdvice:
        """The continuation of the chosen expert and a verdict: see :mod:`services.alfworld.verdict`."""
        known = EpisodeKey(key.task_id, key.seed, tuple(sorted(self.check_options(dict(key.options)).items())), key.actions)
        return await self._here.expert.advise(known, max_steps)

    def metrics(self) -> Mapping[str, float]:
        """Gauges of the engine."""
        return self.engine.metrics()

    @property
    def _here(self) -> _Loaded:
        if self._loaded is None:
            raise RestepError("not_ready", retry_after=1.0)
        return self._loaded

    def _describe(self, library: Library) -> EnvironmentInfo:
        styles = OptionInfo(
            name="action_style",
            description="wording of commands and replies: new is 'move X to Y', old is 'put X in/on Y' of the 0.3 games",
            default=NEW,
            values=list(self.engine.styles),
        )
        goals = OptionInfo(
            name="goal",
            description="the game's own task statement, or one of the human descriptions, chosen by the seed",
            default=GAME,
            values=[GAME, ANNOTATION],
        )
        experts = OptionInfo(
            name="expert",
            description="who advises: the explorer knows only what the episode has shown, the planner everything",
            default=EXPLORER,
            values=[EXPLORER, PLANNER],
        )
        return EnvironmentInfo(
            name=self.name,
            engine_version=self.engine.version,
            data_version=library.data_version,
            splits=[SplitInfo(name=name, tasks=count) for name, count in library.splits().items()],
            task_types=sorted({task.type for task in library.tasks()}),
            action_grammar=list(ACTION_GRAMMAR),
            instruction=INSTRUCTION,
            max_steps=MAX_STEPS,
            options=[styles, goals, experts],
            capabilities=["admissible_actions", "expert", "fork"],
        )


def _description(text: GameText, seed: int) -> str:
    if not text.annotations:
        raise RestepError("invalid_option", f"{text.task_id} has no human description")
    return text.annotations[seed % len(text.annotations)].strip()
