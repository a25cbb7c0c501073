"""Play in ScienceWorld: errands at random, idle wandering, and following a plan.

An errand walks through the house and handles what it sees, at random but with a purpose kept for each step. Errors
happen (a thing that cannot be lifted, a closed door, an ambiguous name) and are repaired; they stay in.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from typing import Final

from shared.environment import Episode
from trainer.play import PlayStep
from trainer.worlds.sciworld_look import listed_names

Rooms = Mapping[str, tuple[str, ...]]
"""Rooms and where their doors lead."""

_FURNITURE: Final = re.compile(
    r"table|counter|chair|cupboard|freezer|fridge|oven|sink|stove|bed|couch|desk|toilet|bathtub|fire p|fountain|hive|furnace"
    r"|closet|book ?shelf|picture|painting|drawing"
)
_HOLDER: Final = re.compile(r"box|bowl|cup|jar|table|counter|chair|sink|jug|bed|pot|fire pit|fountain|couch|desk|furnace|stove")
_OPENABLE: Final = re.compile(r"cupboard|fridge|freezer|closet|drawer|oven|desk|bee hive")
_CIRCUIT: Final = re.compile(r"wire|battery|bulb|motor|buzzer|panel|turbine|generator|switch")
_VERBS: Final = ("look at", "look in", "open", "close", "activate", "deactivate", "read", "pick up", "eat", "mix", "flush")
_PAIRS: Final = ("move {} to {}", "pour {} into {}", "dunk {} into {}", "use {} on {}", "connect {} to {}")
_MENU: Final = "Ambiguous request"


class _Over(Exception):
    """The episode ended, or the errand cannot go on."""


class Walk:
    """One episode under way: where the player is, what it sees, what it did and why."""

    def __init__(self, episode: Episode, rooms: Rooms, rng: random.Random, *, easy: bool) -> None:
        self._episode, self._rooms, self._rng, self._easy = episode, rooms, rng, easy
        self.steps: list[PlayStep] = []
        self._seen = episode.observation
        self._room = room_of(episode.observation)

    async def follow(self, actions: Sequence[str]) -> None:
        """Do what a plan says, to its end or the episode's."""
        for action in actions:
            if (await self._engine(action, None))[1]:
                return

    async def wander(self) -> None:
        """Some rooms, some valid actions, for no reason."""
        try:
            for _ in range(self._rng.randint(4, 9)):
                if self._rng.random() < 0.35 and self._room in self._rooms:
                    await self._visit(self._rng.choice(self._rooms[self._room]))
                else:
                    await self._act(self._idle(await self._episode.admissible_actions()), "valid")
        except _Over:
            return

    def _idle(self, actions: Sequence[str]) -> str:
        verbs: dict[str, list[str]] = {}
        for action in actions:
            verbs.setdefault(action.split()[0], []).append(action)
        chosen = [verb for verb in verbs if verb not in {"focus", "reset", "task"}] or list(verbs)
        return self._rng.choice(verbs[self._rng.choice(chosen)])

    async def errand(self) -> None:
        """One to three legs: go somewhere, do something with what is there."""
        rng = self._rng
        try:
            for leg in range(rng.choice((1, 1, 1, 2, 2, 3))):
                if leg or rng.random() < 0.8:
                    await self._visit(self._elsewhere())
                if rng.random() < 0.3:
                    await self._look_into()
                deed = rng.choices((self._carry, self._single, self._pair, self._focus), (50, 22, 15, 13))[0]
                await deed()
        except _Over:
            return

    # --- parts of an errand ---------------------------------------------------------------------------------

    async def _look_into(self) -> None:
        closed = [name for name in self._things() if _OPENABLE.search(name)]
        if closed:
            name = self._rng.choice(closed)
            await self._act(f"open {name}", "openc", name)
            await self._act(f"look in {name}", "lookin", name)

    async def _carry(self) -> None:
        small = self._small()
        for attempt in (0, 1):
            name = self._rng.choice(small)
            if not attempt and self._rng.random() < 0.3:
                await self._act(f"look at {name}", "lookat", name)
            if "inventory" in await self._act(f"pick up {name}", "pick", name):
                break
            if attempt or self._rng.random() < 0.5:
                raise _Over
        if self._rng.random() < 0.75:
            await self._visit("kitchen" if self._rng.random() < 0.45 else self._elsewhere())
        await self._put(name)

    async def _focus(self) -> None:
        name = self._rng.choice(self._things() if self._rng.random() < 0.3 else self._small())
        await self._act(f"focus on {name}", "focus", name)
        if self._rng.random() < 0.6 and "inventory" in await self._act(f"pick up {name}", "pick", name):
            await self._visit("kitchen" if self._rng.random() < 0.6 else self._elsewhere())
            await self._put(name)

    async def _put(self, name: str) -> None:
        holders = [other for other in self._things() if _HOLDER.search(other) and other != name]
        boxes = [other for other in holders if other.endswith("box")]
        if not holders:
            await self._act(f"put down {name}", "drop", name)
            return
        place = self._rng.choice(boxes if boxes and self._rng.random() < 0.6 else holders)
        await self._act(f"move {name} to {place}", "move", name, place)

    async def _single(self) -> None:
        things = self._things()
        for name in self._rng.sample(things, min(len(things), self._rng.randint(1, 4))):
            verb = self._rng.choice(_VERBS)
            await self._act(f"{verb} {name}", "verb", verb, name)

    async def _pair(self) -> None:
        for _ in range(self._rng.randint(1, 3)):
            things = self._things()
            parts = [name for name in things if _CIRCUIT.search(name)]
            if len(parts) > 2 and self._rng.random() < 0.8:
                one, two = (self._pole(name) for name in self._rng.sample(parts, 2))
                verb = "connect {} to {}"
            elif len(things) > 1:
                one, two = self._rng.sample(things, 2)
                verb = self._rng.choice(_PAIRS)
            else:
                raise _Over
            await self._act(verb.format(one, two), "two", verb, one, two)

    def _pole(self, name: str) -> str:
        if "wire" in name:
            return f"{name} terminal {self._rng.randint(1, 2)}"
        return f"{self._rng.choice(('anode', 'cathode'))} in {name}"

    # --- moving and acting ----------------------------------------------------------------------------------

    def _elsewhere(self) -> str:
        return self._rng.choice([room for room in self._rooms if room != self._room])

    async def _visit(self, goal: str) -> None:
        """Go to a room by its doors (or at once where that is allowed) and look around there."""
        if goal == self._room:
            return
        if self._easy and self._rng.random() < 0.3:
            await self._act(f"teleport to {goal}", "teleport", goal)
        else:
            for place in way(self._rooms, self._room, goal):
                await self._step_to(place, goal)
        self._room = goal
        self._seen = await self._act("look around", "look", goal)

    async def _step_to(self, place: str, goal: str) -> None:
        if not self._easy and self._rng.random() < 0.97:
            await self._act(f"open door to {place}", "open", place, goal)
        if "You move" not in await self._act(f"go to {place}", "go", place, goal):
            await self._act(f"open door to {place}", "fixopen", place, goal)
            if "You move" not in await self._act(f"go to {place}", "go", place, goal):
                raise _Over
        self._room = place
        if place != goal and self._rng.random() < 0.12:
            await self._act("look around", "looktransit", place, goal)

    def _things(self) -> list[str]:
        return listed_names(self._seen)

    def _small(self) -> list[str]:
        small = [name for name in self._things() if not _FURNITURE.search(name)]
        if not small:
            raise _Over
        return small

    async def _act(self, action: str, *purpose: str) -> str:
        """One action with its purpose, and the answer to the simulator's question when it asks one."""
        observation, done = await self._engine(action, purpose)
        if done:
            raise _Over
        if observation.startswith(_MENU):
            number = self._rng.choice(("0", "0", "0", "1"))
            observation, done = await self._engine(number, ("choose", number))
            if done:
                raise _Over
        return observation

    async def _engine(self, action: str, purpose: tuple[str, ...] | None) -> tuple[str, bool]:
        reply = await self._episode.step(action)
        self.steps.append(PlayStep(action, reply.observation, purpose))
        return reply.observation, reply.done


def room_of(look: str) -> str:
    """The room a look describes; "" when it describes none."""
    found = re.search(r"called the ([a-z ]+?)\.", look)
    return found.group(1) if found else ""


def way(rooms: Rooms, start: str, goal: str) -> list[str]:
    """Rooms to pass from ``start`` to ``goal``, the goal included; empty when there is no way. Breadth first."""
    before: dict[str, str] = {start: ""}
    queue = [start]
    for room in queue:
        for place in rooms.get(room, ()):
            if place not in before:
                before[place] = room
                queue.append(place)
    path = [goal] if goal in before and goal != start else []
    while path and before[path[0]] != start:
        path.insert(0, before[path[0]])
    return path
