"""The seam between pre-training and an environment: a world is played, and what was played is told.

Told means: a goal made in hindsight from what was really done, and a thought for every step, so that every name in
goal, thought and action stands elsewhere in the same context.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Protocol

from pydantic import Field

from shared.environment import Environment
from shared.protocol import TaskInfo
from trainer.dialogue import Message
from trainer.options import Options
from trainer.play import Kind, Play, PlayStep

Tasks = Mapping[str, Sequence[TaskInfo]]
"""Tasks by their types."""


class WorldOptions(Options):
    """How much of an environment is played and told; more in each world's own."""

    plays: int = Field(ge=1, description="episodes played")
    share: float = Field(gt=0.0, description="weight of its text among all environments'")


class World(Protocol):
    """One environment, for pre-training."""

    split: ClassVar[str]
    """The only split that is played."""
    instruction: ClassVar[str]
    """What an agent is told about the environment."""
    places: ClassVar[Sequence[str]]
    """Names that belong into the vocabulary whether they were seen or not."""
    words: ClassVar[Sequence[str]]
    """Words that are single tokens in lower case and as in a title, for what is put together of them and copied."""
    phrases: ClassVar[Sequence[str]]
    """Its fixed wording, where what often comes need not be fixed; empty where phrases are learned from its text."""
    kinds: ClassVar[Mapping[Kind, float]]
    """Kinds of play and their shares of what is told."""

    @property
    def options(self) -> WorldOptions:
        """How much is played and told."""
        ...

    def codes(self) -> Sequence[str]:
        """What is a single token and written in one way alone, such as the number of a product."""
        ...

    def environment(self, folder: Path) -> Environment:
        """The environment itself, not started yet; what it has to be made of may be kept in ``folder``, made once.

        Raises ``missing_extra``.
        """
        ...

    def kind(self, rng: random.Random) -> Kind:
        """What to play next."""
        ...

    def task(self, kind: Kind, tasks: Tasks, rng: random.Random) -> TaskInfo:
        """The task to play it in."""
        ...

    async def play(self, environment: Environment, kind: Kind, task: TaskInfo, rng: random.Random) -> Play:
        """Play one episode. Raises what the engine or its expert raises."""
        ...

    def names(self, observation: str) -> list[str]:
        """Names of the things that an observation lists, in order."""
        ...

    def failed(self, step: PlayStep) -> bool:
        """Whether the reply to a step reads like a refusal."""
        ...

    def kept(self, play: Play) -> list[PlayStep]:
        """The steps worth telling."""
        ...

    def goal(self, play: Play, rng: random.Random) -> str | None:
        """A task statement that an errand fulfils, from what succeeded in it; None when nothing did."""
        ...

    def shown(self, observation: str, play: Play, goal: str) -> str:
        """An observation of ``play`` as it reads when ``goal`` is the task."""
        ...

    def thought(self, steps: Sequence[PlayStep]) -> str:
        """What the first of ``steps`` is for, looking ahead at the others."""
        ...

    def looks(self, play: Play) -> list[str]:
        """Its observations that show a place in which :meth:`doing` can be set."""
        ...

    def exercise(self, names: Sequence[str], rng: random.Random) -> list[Message]:
        """A short dialogue that exercises copying, over real names."""
        ...

    def doing(self, look: str, rng: random.Random) -> list[Message] | None:
        """A short dialogue in a place really seen: a goal over its things, and what does it. None where nothing is."""
        ...
