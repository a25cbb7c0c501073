"""WebShop for pre-training: errands in the shop that comes with restep, on goals of its train split.

The instruction stands on every page, so that a goal made in hindsight takes its place there as well.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final

from pydantic import Field

from services.webshop.environment import WebShop
from services.webshop.instruction import INSTRUCTION
from services.webshop.library import embedded_stock
from services.webshop.world import World as Shop
from shared.environment import Environment
from shared.protocol import TaskInfo
from trainer.dialogue import Message
from trainer.play import Kind, Play, PlayStep
from trainer.worlds import webshop_exercises as exercises
from trainer.worlds.webshop_telling import MISTAKE, errand_goal, thought
from trainer.worlds.webshop_walk import Walk, offers
from trainer.worlds.world import Tasks, WorldOptions

_WORD: Final = re.compile(r"[A-Z][a-z]{2,}")


class WebshopPlays(WorldOptions):
    """How WebShop is played."""

    plays: int = Field(default=5000, ge=1, description="episodes played")
    share: float = Field(default=0.3, gt=0.0, description="weight of its text among all environments'")


class WebshopWorld:
    """Implements :class:`trainer.worlds.world.World`."""

    split: ClassVar[str] = "train"
    instruction: ClassVar[str] = INSTRUCTION
    places: ClassVar[Sequence[str]] = ()
    kinds: ClassVar[Mapping[Kind, float]] = {"errand": 0.92, "wander": 0.08}

    def __init__(self, options: WebshopPlays) -> None:
        self.options = options

    def environment(self, folder: Path) -> Environment:
        """The embedded shop."""
        return WebShop(lambda: Shop(embedded_stock()))

    def kind(self, rng: random.Random) -> Kind:
        """Mostly errands."""
        return rng.choices(("errand", "wander"), (0.9, 0.1))[0]

    def task(self, kind: Kind, tasks: Tasks, rng: random.Random) -> TaskInfo:
        """Any: its words are searched with, what it asks for is not bought but by chance."""
        return rng.choice(tasks[rng.choice(list(tasks))])

    async def play(self, environment: Environment, kind: Kind, task: TaskInfo, rng: random.Random) -> Play:
        """One episode."""
        episode = await environment.reset(task.id, 0, {})
        try:
            walk = Walk(episode, rng)
            await (walk.wander() if kind == "wander" else walk.errand())
        finally:
            await episode.close()
        return Play(kind, task.id, episode.goal, episode.observation, tuple(walk.steps))

    def names(self, observation: str) -> list[str]:
        """Words of the titles on a page of results."""
        return list(dict.fromkeys(word for offer in offers(observation) for word in _WORD.findall(offer.title)))

    def failed(self, step: PlayStep) -> bool:
        """Whether it was a wrong choice, made to be repaired."""
        return step.purpose is not None and step.purpose[0] == MISTAKE

    def kept(self, play: Play) -> list[PlayStep]:
        """All."""
        return list(play.steps)

    def goal(self, play: Play, rng: random.Random) -> str | None:
        """From what was opened and chosen."""
        return errand_goal(play.steps, rng)

    def shown(self, observation: str, play: Play, goal: str) -> str:
        """With the told goal where the page states the task's own."""
        return observation.replace(play.goal, goal)

    def thought(self, steps: Sequence[PlayStep]) -> str:
        """By the step's purpose."""
        return thought(steps[0])

    def looks(self, play: Play) -> list[str]:
        """Pages of results."""
        return [step.observation for step in play.steps if offers(step.observation)]

    def exercise(self, names: Sequence[str], rng: random.Random) -> list[Message]:
        """See :func:`trainer.worlds.webshop_exercises.copying`."""
        return exercises.copying(names, rng)

    def doing(self, look: str, rng: random.Random) -> list[Message] | None:
        """See :func:`trainer.worlds.webshop_exercises.doing`."""
        return exercises.doing(look, rng)
