"""ALFWorld for pre-training: errands in training rooms made for it, in the words of its experts.

The rooms are many: in the few that come with restep a student learns where things are, instead of reading it.

No expert is shown at work and no task of the benchmark is stated: what a student is to be taught later must not have
been shown to its base. Searching, taking, treating and putting away are practised, each for goals of their own.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final

from pydantic import Field

from services.alfworld.direct import DirectEngine
from services.alfworld.environment import AlfWorld
from services.alfworld.generate import generate_pack, pack_path
from services.alfworld.instruction import INSTRUCTION
from services.alfworld.library import GameLibrary
from services.alfworld.pack import Pack
from shared.environment import Environment
from shared.protocol import TaskInfo
from trainer.dialogue import Message
from trainer.play import Kind, Play, PlayStep
from trainer.worlds import alfworld_exercises as exercises
from trainer.worlds.alfworld_telling import errand_goal, thought, told_steps
from trainer.worlds.alfworld_walk import NOTHING, Walk, scout
from trainer.worlds.world import Tasks, WorldOptions

_NAMED: Final = re.compile(r"\ban? ([a-z]+) \d+")


class AlfworldPlays(WorldOptions):
    """How ALFWorld is played."""

    plays: int = Field(default=8000, ge=1, description="episodes played")
    share: float = Field(default=0.33, gt=0.0, description="weight of its text among all environments'")
    rooms: int = Field(default=1500, ge=1, description="training rooms made to be played in")
    rooms_seed: int = Field(default=2, description="of the rooms; those that come with restep are of seed 1")


class AlfworldWorld:
    """Implements :class:`trainer.worlds.world.World`."""

    split: ClassVar[str] = "embedded_train"
    instruction: ClassVar[str] = INSTRUCTION
    places: ClassVar[Sequence[str]] = ()
    words: ClassVar[Sequence[str]] = ()
    phrases: ClassVar[Sequence[str]] = ()
    kinds: ClassVar[Mapping[Kind, float]] = {"errand": 0.9, "wander": 0.1}

    def __init__(self, options: AlfworldPlays) -> None:
        self.options = options

    def codes(self) -> Sequence[str]:
        """None."""
        return ()

    def environment(self, folder: Path) -> Environment:
        """The direct engine on rooms of its own, made in ``folder`` the first time."""
        path = pack_path(folder, self.options.rooms, self.options.rooms_seed)
        if not path.exists():
            generate_pack(path, self.options.rooms, self.options.rooms_seed)
        return AlfWorld(lambda: GameLibrary([Pack(path)], origin=str(path)), DirectEngine())

    def kind(self, rng: random.Random) -> Kind:
        """Mostly errands."""
        return rng.choices(("errand", "wander"), (0.88, 0.12))[0]

    def task(self, kind: Kind, tasks: Tasks, rng: random.Random) -> TaskInfo:
        """Any: the house is played in, not the task."""
        return rng.choice(tasks[rng.choice(list(tasks))])

    async def play(self, environment: Environment, kind: Kind, task: TaskInfo, rng: random.Random) -> Play:
        """One episode."""
        scouting, episode = await environment.reset(task.id, 0, {}), await environment.reset(task.id, 0, {})
        try:
            walk = Walk(episode, await scout(scouting), rng)
            await (walk.wander() if kind == "wander" else walk.errand())
        finally:
            await scouting.close()
            await episode.close()
        return Play(kind, task.id, episode.goal, episode.observation, tuple(walk.steps))

    def names(self, observation: str) -> list[str]:
        """Kinds of things and places, without their numbers."""
        return list(dict.fromkeys(_NAMED.findall(observation)))

    def failed(self, step: PlayStep) -> bool:
        """Whether nothing happened."""
        return step.observation == NOTHING

    def kept(self, play: Play) -> list[PlayStep]:
        """Up to the last that achieved something."""
        return told_steps(play.steps)

    def goal(self, play: Play, rng: random.Random) -> str | None:
        """From what succeeded."""
        return errand_goal(play.steps, rng)

    def shown(self, observation: str, play: Play, goal: str) -> str:
        """The same: it does not state the task."""
        return observation

    def thought(self, steps: Sequence[PlayStep]) -> str:
        """By the step's purpose."""
        return thought(steps[0])

    def looks(self, play: Play) -> list[str]:
        """Replies that show what is somewhere."""
        return [step.observation for step in play.steps if ", you see " in step.observation]

    def exercise(self, names: Sequence[str], rng: random.Random) -> list[Message]:
        """See :func:`trainer.worlds.alfworld_exercises.copying`."""
        return exercises.copying(names, rng)

    def doing(self, look: str, rng: random.Random) -> list[Message] | None:
        """See :func:`trainer.worlds.alfworld_exercises.doing`."""
        return exercises.doing(look, self.instruction, rng)
