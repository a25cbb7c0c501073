"""WebShop for pre-training: errands for wishes in a large shop of its own, of which no benchmark has a task.

The instruction stands on every page, so that the goal that is told takes its place there as well.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from services.webshop.environment import WebShop
from services.webshop.instruction import INSTRUCTION
from services.webshop.world import World as Shop
from shared.environment import Environment
from shared.protocol import TaskInfo
from trainer.dialogue import Message
from trainer.play import Kind, Play, PlayStep
from trainer.worlds import webshop_exercises as exercises
from trainer.worlds.webshop_numbers import product_numbers, renumbered
from trainer.worlds.webshop_phrases import phrases
from trainer.worlds.webshop_stock import open_shop
from trainer.worlds.webshop_telling import MISTAKES, errand_goal, thought
from trainer.worlds.webshop_walk import Walk, offers
from trainer.worlds.webshop_wish import scout
from trainer.worlds.webshop_words import KNOWN
from trainer.worlds.world import Tasks, WorldOptions


class WebshopPlays(WorldOptions):
    """How WebShop is played."""

    plays: int = Field(default=5000, ge=1, description="episodes played")
    products: int = Field(default=8000, ge=1, description="products of the shop that is played in")
    share: float = Field(default=0.25, gt=0.0, description="weight of its text among all environments'")


class WebshopWorld:
    """Implements :class:`trainer.worlds.world.World`."""

    split: ClassVar[str] = "train"
    instruction: ClassVar[str] = INSTRUCTION
    places: ClassVar[Sequence[str]] = ()
    words: ClassVar[Sequence[str]] = KNOWN
    phrases: ClassVar[Sequence[str]] = phrases()
    kinds: ClassVar[Mapping[Kind, float]] = {"errand": 0.92, "wander": 0.08}

    def __init__(self, options: WebshopPlays) -> None:
        self.options = options

    def codes(self) -> Sequence[str]:
        """Numbers of products."""
        return product_numbers()

    def environment(self, folder: Path) -> Environment:
        """A shop made for this, kept in ``folder``."""
        return WebShop(lambda: Shop(open_shop(folder, self.options.products)))

    def kind(self, rng: random.Random) -> Kind:
        """Mostly errands."""
        return rng.choices(("errand", "wander"), (0.9, 0.1))[0]

    def task(self, kind: Kind, tasks: Tasks, rng: random.Random) -> TaskInfo:
        """Any: what it asks for is neither read nor told."""
        return rng.choice(tasks[rng.choice(list(tasks))])

    async def play(self, environment: Environment, kind: Kind, task: TaskInfo, rng: random.Random) -> Play:
        """One episode for a wish that is drawn before it; without a step where nothing could be wished for."""
        assert isinstance(environment, WebShop)
        trip = scout(environment.world, rng)
        episode = await environment.reset(task.id, 0, {})
        try:
            if trip is None:
                return Play(kind, task.id, episode.goal, episode.observation, ())
            walk = Walk(episode, trip, rng)
            await (walk.wander() if kind == "wander" else walk.errand())
            return Play(kind, task.id, episode.goal, episode.observation, renumbered(walk.steps, rng))
        finally:
            await episode.close()

    def names(self, observation: str) -> list[str]:
        """None: what the shop's things are called is put together of its words."""
        return []

    def failed(self, step: PlayStep) -> bool:
        """Whether it was a wrong step, made to be repaired."""
        return step.purpose is not None and step.purpose[0] in MISTAKES

    def kept(self, play: Play) -> list[PlayStep]:
        """All."""
        return list(play.steps)

    def goal(self, play: Play, rng: random.Random) -> str | None:
        """The wish."""
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
        return exercises.copying(rng)

    def doing(self, look: str, rng: random.Random) -> list[Message] | None:
        """See :func:`trainer.worlds.webshop_exercises.doing`."""
        return exercises.doing(look, rng)
