"""WebShop as an :class:`shared.environment.Environment`: shoppers in one world.

Follows the benchmark (Yao et al., arXiv 2207.01206): an episode ends with its purchase, whose reward is the score, and a
reward of 1 is success; the observation is the original's text unchanged. A session's seed only decides what a search for
random products (``search[<r>]``) finds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.webshop.actions import click
from services.webshop.expert import Expert
from services.webshop.goals import Goal
from services.webshop.instruction import ACTION_GRAMMAR, INSTRUCTION
from services.webshop.pages import TEXT_MODE
from services.webshop.purchase import Purchase, purchase
from services.webshop.state import Place, State
from services.webshop.world import MODES, World
from shared.environment import EngineStep, Environment, Episode, EpisodeKey
from shared.errors import RestepError
from shared.memory import give_back
from shared.protocol import EnvironmentInfo, ExpertAdvice, OptionInfo, SplitInfo, TaskInfo

MAX_STEPS: Final = 15
"""The limit of verl-agent; ETO takes 10 (arXiv 2403.02502). A session may choose its own."""
ENGINE_VERSION: Final = "restep webshop 1"
"""Changes when any text or rule does."""
OBSERVATION: Final = "observation"


class ShoppingEpisode(Episode):
    """One shopper. Every step is computed where it is asked: it takes microseconds."""

    __slots__ = ("_goal", "_mode", "_state", "_world")

    def __init__(self, world: World, goal: Goal, seed: int, mode: str) -> None:
        self._world = world
        self._goal = goal
        self._mode = mode
        self._state = State(seed=seed)

    @property
    def goal(self) -> str:
        """What to buy."""
        return self._goal.text

    @property
    def observation(self) -> str:
        """The start page."""
        return self._world.observation(self._goal, State(), self._mode)

    async def step(self, action: str) -> EngineStep:
        """Execute one action; one that the shop ignores shows the same page again."""
        after = self._world.shop.after(self._state, action)
        if after is not None:
            self._state = after
        if self._state.place is not Place.DONE:
            observation = self._world.observation(self._goal, self._state, self._mode)
            return EngineStep(observation, 0.0, done=False, success=False, valid=after is not None)
        score = self._world.reward(self._goal, self._state).total
        observation = self._world.receipt(self._state, score, self._mode)
        return EngineStep(observation, score, done=True, success=score == 1.0, valid=after is not None)

    async def admissible_actions(self) -> list[str]:
        """A click on each of what can be clicked, in the benchmark's order; where there is a search bar, how to search.

        A search is taken on every page, but shown only on the first.
        """
        if self._state.place is Place.START:
            return [ACTION_GRAMMAR[0]]
        return [click(name) for name in self._world.shop.clickables(self._state)]

    async def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    world: World
    info: EnvironmentInfo
    expert: Expert


class WebShop(Environment):
    """The benchmark over a world; ``open_world`` is called once, at the start and off the event loop."""

    name = "webshop"

    def __init__(self, open_world: Callable[[], World]) -> None:
        self._open_world = open_world
        self._loaded: _Loaded | None = None

    async def start(self) -> None:
        """Load the shop. Raises ``data_not_found``, ``data_corrupt``."""
        world = await asyncio.to_thread(self._open_world)
        give_back()
        self._loaded = _Loaded(world, self._describe(world), Expert(world))

    async def stop(self) -> None:
        """Nothing runs beside the server."""

    def info(self) -> EnvironmentInfo:
        """Versions, splits, grammar, instruction, options. Raises ``not_ready`` before the start."""
        return self._here.info

    def tasks(self, split: str | None = None, type: str | None = None) -> Sequence[TaskInfo]:
        """Tasks in the benchmark's order, human ones last."""
        return self._here.world.tasks.select(split, type)

    def task(self, task_id: str) -> TaskInfo:
        """One task."""
        return self._here.world.tasks.task(task_id)

    async def reset(self, task_id: str, seed: int, options: Mapping[str, str]) -> ShoppingEpisode:
        """Begin an episode."""
        world = self._here.world
        mode = self.check_options(options)[OBSERVATION]
        return ShoppingEpisode(world, world.tasks.goal(task_id), seed, mode)

    async def expert(self, key: EpisodeKey, max_steps: int) -> ExpertAdvice:
        """The way to the best purchase and a verdict: see :mod:`services.webshop.verdict`."""
        return self._here.expert.advise(key, max_steps)

    def purchase(self, key: EpisodeKey) -> Purchase:
        """What an episode has bought, and the reward with its parts. Raises ``nothing_bought``, ``unknown_task``."""
        return purchase(self._here.world, key)

    @property
    def world(self) -> World:
        """What its sessions share. Raises ``not_ready`` before the start."""
        return self._here.world

    def metrics(self) -> Mapping[str, float]:
        """The size of the shop."""
        return {"products": float(len(self._here.world.shop.catalogue))} if self._loaded else {}

    @property
    def _here(self) -> _Loaded:
        if self._loaded is None:
            raise RestepError("not_ready", retry_after=1.0)
        return self._loaded

    def _describe(self, world: World) -> EnvironmentInfo:
        observation = OptionInfo(
            name=OBSERVATION,
            description="the original's modes: text joins what stands on a page, text_rich marks buttons and what was clicked",
            default=TEXT_MODE,
            values=list(MODES),
        )
        return EnvironmentInfo(
            name=self.name,
            engine_version=ENGINE_VERSION,
            data_version=world.stock.data_version,
            splits=[SplitInfo(name=name, tasks=count) for name, count in world.tasks.splits().items()],
            task_types=world.tasks.types(),
            action_grammar=list(ACTION_GRAMMAR),
            instruction=INSTRUCTION,
            max_steps=MAX_STEPS,
            options=[observation],
            capabilities=["admissible_actions", "expert", "fork"],
        )
