"""What is asked for in a generated game, and the shortest way to do it.

A goal is only taken where the room has all it needs, and nothing is met at the start; so every game can be won. The
shortest plan is found by trying every object, tool and target there is: in these rooms some dozens.
"""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from services.alfworld.game_file import TASK_PREFIX
from services.alfworld.generate_rooms import CLEANABLE, COOLABLE, FIXED, HEATABLE
from services.alfworld.generate_scene import Piece, Scene, Thing, fitting, lay_out, places

LOOK: Final = "look_at_obj_in_light"
PICK: Final = "pick_and_place_simple"
TWO: Final = "pick_two_obj_and_place"
LAMP: Final = "DeskLamp"


@dataclass(frozen=True, slots=True)
class Treatment:
    """What an object needs before it is put down: the verb, the receptacle that does it, what it works on, and the state."""

    verb: str
    tool: str
    works_on: frozenset[str]
    ability: str
    state: str


TREATMENTS: Final[dict[str, Treatment]] = {
    "pick_heat_then_place_in_recep": Treatment("heat", "Microwave", HEATABLE, "heatable", "isHot"),
    "pick_cool_then_place_in_recep": Treatment("cool", "Fridge", COOLABLE, "coolable", "isCool"),
    "pick_clean_then_place_in_recep": Treatment("clean", "SinkBasin", CLEANABLE, "cleanable", "isClean"),
}

_WORDINGS: Final[dict[str, tuple[str, str]]] = {
    LOOK: ("look at {0} under the {1}.", "examine the {0} with the {1}."),
    PICK: ("put a {0} in {1}.", "put some {0} on {1}."),
    TWO: ("put two {0} in {1}.", "find two {0} and put them in {1}."),
    "pick_heat_then_place_in_recep": ("put a hot {0} in {1}.", "heat some {0} and put it in {1}."),
    "pick_cool_then_place_in_recep": ("put a cool {0} in {1}.", "cool some {0} and put it in {1}."),
    "pick_clean_then_place_in_recep": ("put a clean {0} in {1}.", "clean some {0} and put it in {1}."),
}
"""The benchmark's two sentences for every type."""


@dataclass(frozen=True, slots=True, order=True)
class Goal:
    """A task type, the object's type, and the type of the receptacle (of the lamp) it is for."""

    type: str
    thing: str
    target: str

    @property
    def held_out(self) -> bool:
        """Whether the combination is kept for unseen games: a fifth of all, the same for every seed."""
        return hashlib.sha256(f"{self.type} {self.thing} {self.target}".encode()).digest()[0] % 5 == 0

    def sentence(self, dice: random.Random) -> str:
        """The task sentence, in one of the benchmark's two wordings."""
        return TASK_PREFIX + dice.choice(_WORDINGS[self.type]).format(self.thing.lower(), self.target.lower())


def possible_goals(scene: Scene, type: str) -> Sequence[Goal]:
    """Goals of a type that make sense in a scene, sorted."""
    things = [name for name in sorted(scene.room.homes) if name not in FIXED and places(scene, name)]
    if type == LOOK:
        return [Goal(type, name, LAMP) for name in things if places(scene, LAMP)]
    treatment = TREATMENTS.get(type)
    if treatment is not None:
        things = [name for name in things if name in treatment.works_on]
    goals: list[Goal] = []
    for name in things:
        for target in fitting(scene, name):
            away = any(kind != target for kind in places(scene, name))
            if target != treatment.tool if treatment is not None else away:
                goals.append(Goal(type, name, target))
    return goals


def arrange(scene: Scene, goal: Goal, dice: random.Random) -> tuple[Thing, ...]:
    """Objects of one game: enough of the goal's, none of them where it should end, unless it must be treated first."""
    wanted = {goal.thing: dice.choice((2, 2, 3)) if goal.type == TWO else dice.choice((1, 1, 2))}
    if goal.type == LOOK:
        wanted[LAMP] = 1
    avoid = {goal.thing: goal.target} if goal.type in (PICK, TWO) else {}
    return lay_out(scene, wanted, avoid, dice)


def shortest_plan(scene: Scene, things: Sequence[Thing], goal: Goal) -> tuple[str, ...]:
    """The fewest commands that win; among equals the first by the alphabet."""
    return min((tuple(plan) for plan in _plans(scene, things, goal)), key=lambda plan: (len(plan), plan))


class _Walk:
    """A plan as it grows: where the agent stands and what it has opened."""

    def __init__(self) -> None:
        self.commands: list[str] = []
        self._at: Piece | None = None
        self._opened: set[str] = set()

    def reach(self, piece: Piece, *, open: bool) -> _Walk:
        """Stand before a receptacle, opened if need be."""
        if self._at != piece:
            self.commands.append(f"go to {piece.name}")
            self._at = piece
        if open and piece.openable and piece.id not in self._opened:
            self.commands.append(f"open {piece.name}")
            self._opened.add(piece.id)
        return self

    def take(self, thing: Thing) -> _Walk:
        """Go and take an object from where it lies at the start."""
        self.reach(thing.place, open=True).commands.append(f"take {thing.name} from {thing.place.name}")
        return self

    def put(self, thing: Thing, piece: Piece) -> _Walk:
        """Go and put the object that is held."""
        self.reach(piece, open=True).commands.append(f"move {thing.name} to {piece.name}")
        return self

    def use(self, lamp: Thing) -> _Walk:
        """Go to a lamp and use it."""
        self.reach(lamp.place, open=False).commands.append(f"use {lamp.name}")
        return self


def _plans(scene: Scene, things: Sequence[Thing], goal: Goal) -> Iterator[list[str]]:
    wanted = [thing for thing in things if thing.type == goal.thing]
    if goal.type == LOOK:
        for thing, lamp in itertools.product(wanted, (thing for thing in things if thing.type == LAMP)):
            yield _Walk().take(thing).use(lamp).commands
            if thing.place == lamp.place:
                yield _Walk().use(lamp).take(thing).commands
        return
    for target in (piece for piece in scene.pieces if piece.type == goal.target):
        if goal.type == TWO:
            for first, second in itertools.permutations(wanted, 2):
                yield _Walk().take(first).put(first, target).take(second).put(second, target).commands
        elif (treatment := TREATMENTS.get(goal.type)) is not None:
            for thing, tool in itertools.product(wanted, (piece for piece in scene.pieces if piece.type == treatment.tool)):
                walk = _Walk().take(thing).reach(tool, open=False)
                walk.commands.append(f"{treatment.verb} {thing.name} with {tool.name}")
                yield walk.put(thing, target).commands
        else:
            for thing in wanted:
                yield _Walk().take(thing).put(thing, target).commands
