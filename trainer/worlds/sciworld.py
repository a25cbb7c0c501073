"""ScienceWorld for pre-training: errands through its house, told with the thoughts of its expert.

Expert play leaves out the task types named by ``unseen``: what a student is to be taught later must not have been
shown to its base, and the engine takes half a minute to find the solution of a genetics task.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from services.sciworld.house import ROOMS
from services.sciworld.instruction import INSTRUCTION
from services.sciworld.thoughts import thought
from shared.environment import Environment, EpisodeKey
from shared.errors import RestepError
from shared.protocol import TaskInfo
from trainer.dialogue import Message
from trainer.play import Kind, Play, PlayStep
from trainer.worlds import sciworld_exercises as exercises
from trainer.worlds.sciworld_goals import errand_goal, failed
from trainer.worlds.sciworld_look import listed_names
from trainer.worlds.sciworld_walk import Walk
from trainer.worlds.world import Tasks, WorldOptions


class SciworldPlays(WorldOptions):
    """How ScienceWorld is played."""

    plays: int = Field(default=3700, ge=1, description="episodes played")
    share: float = Field(default=0.42, gt=0.0, description="weight of its text among all environments'")
    easy: float = Field(default=0.75, ge=0.0, le=1.0, description="share of episodes with the simplification `easy`")
    unseen: tuple[str, ...] = Field(
        default=("find-", "lifespan-", "mendelian-"),
        description="task types, by the start of their names, of which no expert play is taken",
    )
    expert_steps: int = Field(default=60, ge=1, description="longest expert play; the rest of a longer one is left out")


class SciworldWorld:
    """Implements :class:`trainer.worlds.world.World`."""

    split: ClassVar[str] = "train"
    instruction: ClassVar[str] = INSTRUCTION
    places: ClassVar[Sequence[str]] = tuple(ROOMS)
    words: ClassVar[Sequence[str]] = ()
    phrases: ClassVar[Sequence[str]] = ()
    kinds: ClassVar[Mapping[Kind, float]] = {"errand": 0.72, "wander": 0.1, "expert": 0.18}

    def __init__(self, options: SciworldPlays) -> None:
        self.options = options

    def codes(self) -> Sequence[str]:
        """None."""
        return ()

    def environment(self, folder: Path) -> Environment:
        """The simulator. Raises ``missing_extra``."""
        try:
            from services.sciworld.environment import SciWorld
        except ImportError as error:
            raise RestepError("missing_extra", f"{error.name} is not installed; pip install 'restep[sciworld]'") from None
        return SciWorld()

    def kind(self, rng: random.Random) -> Kind:
        """Mostly errands."""
        return rng.choices(("errand", "expert", "wander"), (0.7, 0.18, 0.12))[0]

    def task(self, kind: Kind, tasks: Tasks, rng: random.Random) -> TaskInfo:
        """Any, of a type that may be shown."""
        types = [name for name in tasks if kind != "expert" or not name.startswith(self.options.unseen)]
        return rng.choice(tasks[rng.choice(types)])

    async def play(self, environment: Environment, kind: Kind, task: TaskInfo, rng: random.Random) -> Play:
        """One episode."""
        simplification = "easy" if rng.random() < self.options.easy else ""
        options = {"simplification": simplification}
        episode = await environment.reset(task.id, 0, options)
        try:
            walk = Walk(episode, ROOMS, rng, easy=simplification == "easy")
            if kind == "expert":
                longest = self.options.expert_steps
                advice = await environment.expert(EpisodeKey(task.id, 0, tuple(options.items())), longest)
                await walk.follow(advice.actions[:longest])
            elif kind == "wander":
                await walk.wander()
            else:
                await walk.errand()
        finally:
            await episode.close()
        return Play(kind, task.id, episode.goal, episode.observation, tuple(walk.steps), options)

    def names(self, observation: str) -> list[str]:
        """Things a look lists."""
        return listed_names(observation)

    def failed(self, step: PlayStep) -> bool:
        """Whether the reply reads like a refusal."""
        return failed(step)

    def kept(self, play: Play) -> list[PlayStep]:
        """All but opening doors that are open."""
        return [step for step in play.steps if step.observation != "The door is already open."]

    def goal(self, play: Play, rng: random.Random) -> str | None:
        """From what succeeded."""
        return errand_goal(play.steps, rng)

    def shown(self, observation: str, play: Play, goal: str) -> str:
        """The same: it does not state the task."""
        return observation

    def thought(self, steps: Sequence[PlayStep]) -> str:
        """As the expert would word it."""
        return thought([step.action for step in steps])

    def looks(self, play: Play) -> list[str]:
        """The first one and every look around."""
        return [play.look, *(step.observation for step in play.steps if step.action == "look around")]

    def exercise(self, names: Sequence[str], rng: random.Random) -> list[Message]:
        """See :func:`trainer.worlds.sciworld_exercises.copying`."""
        return exercises.copying(names, self.places, thought, rng)

    def doing(self, look: str, rng: random.Random) -> list[Message] | None:
        """See :func:`trainer.worlds.sciworld_exercises.doing`."""
        return exercises.doing(look, self.instruction, thought, rng)
