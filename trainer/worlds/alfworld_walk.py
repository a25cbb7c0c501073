"""Play in ALFWorld: errands at random in a house, and idle wandering.

An errand looks for things, takes them, treats them and puts them elsewhere, with a purpose kept for each step. What a
search is for is decided when something turns up, so every thought about it is true. Errors (a closed drawer, going to
where one is) happen and are repaired; they stay in.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from shared.environment import Episode
from trainer.play import PlayStep

NOTHING: Final = "Nothing happens."
_ITEM: Final = re.compile(r"\ban? ([a-z]+ \d+)")
_CLOSED: Final = re.compile(r"The ([a-z]+ \d+) is closed\.")
_LIDS: Final = ("cabinet", "drawer", "fridge", "microwave", "safe", "box", "dresser")
"""What is mostly closed, and so looked into last."""
_DULL: Final = ("help", "inventory", "look")
_TREATMENTS: Final = {"clean": "sinkbasin", "heat": "microwave", "cool": "fridge"}
LAMPS: Final = ("desklamp", "floorlamp")


def listed_things(observation: str) -> list[str]:
    """Things and places that a reply lists, with their numbers, in order."""
    return _ITEM.findall(observation.partition("you see ")[2])


def kind_of(thing: str) -> str:
    """``mug 2`` is a ``mug``."""
    return thing.rpartition(" ")[0]


class _Over(Exception):
    """The episode ended, or the errand cannot go on."""


class Walk:
    """One episode under way: where the player is, what it has seen, holds and did, and why."""

    def __init__(self, episode: Episode, rng: random.Random) -> None:
        self._episode, self._rng = episode, rng
        self.steps: list[PlayStep] = []
        self._places = listed_things(episode.observation)
        self._here = ""
        self._held = ""
        self._shut: set[str] = set()
        self._content: dict[str, list[str]] = {}

    async def wander(self) -> None:
        """Some commands that can be carried out, for no reason."""
        try:
            for _ in range(self._rng.randint(4, 9)):
                commands: dict[str, list[str]] = {}
                for command in await self._episode.admissible_actions():
                    commands.setdefault(command.split()[0], []).append(command)
                verbs = [verb for verb in commands if verb not in _DULL or self._rng.random() < 0.2] or ["look"]
                await self._act(self._rng.choice(commands[self._rng.choice(verbs)]), "valid")
        except _Over:
            return

    async def errand(self) -> None:
        """One to three legs: look at a place, or look for a thing and do something with it."""
        try:
            for _ in range(self._rng.choice((1, 1, 2, 2, 3))):
                deed = self._rng.choices((self._inspect, self._carry, self._light), (15, 65, 20))[0]
                await deed()
        except _Over:
            return

    # --- legs -----------------------------------------------------------------------------------------------

    async def _inspect(self) -> None:
        for place in self._rng.sample(self._places, min(len(self._places), self._rng.randint(1, 3))):
            if place != self._here or self._rng.random() < 0.1:
                await self._go(place, "go", place)
            if place in self._shut and self._rng.random() < 0.7:
                await self._open(place, "open", place)
            elif self._rng.random() < 0.15:
                await self._act(f"examine {place}", "examine", place)

    async def _carry(self) -> None:
        thing = await self._find()
        if self._rng.random() < 0.15:
            return
        if self._rng.random() < 0.35:
            await self._treat(thing)
        await self._put(thing)

    async def _light(self) -> None:
        lamps = [thing for things in self._content.values() for thing in things if kind_of(thing) in LAMPS]
        lamp = self._rng.choice(lamps) if lamps else await self._search(LAMPS)
        place = self._where(lamp)
        if place != self._here:
            await self._go(place, "to use", lamp, place)
        await self._act(f"use {lamp}", "use", lamp)

    async def _find(self) -> str:
        """Search until something new turns up that can be taken (or remember where one was seen), and take it."""
        known = [thing for things in self._content.values() for thing in things if kind_of(thing) not in LAMPS]
        if known and self._rng.random() < 0.5:
            thing = self._rng.choice(known)
            if self._where(thing) != self._here:
                await self._go(self._where(thing), "fetch", thing, self._where(thing))
        else:
            thing = await self._search()
        place = self._where(thing)
        if f"take {thing} from {place}" not in await self._episode.admissible_actions():
            raise _Over
        await self._act(f"take {thing} from {place}", "take", thing, place)
        self._content[place].remove(thing)
        self._held = thing
        return thing

    async def _search(self, kinds: Sequence[str] = ()) -> str:
        """Look at places not seen yet until one holds a thing of ``kinds``; without: of a kind not seen before, at which
        the search is content, which may be at the first place or later.
        """
        first = len(self.steps)
        seen = {kind_of(thing) for things in self._content.values() for thing in things}
        patience = 0 if kinds else self._rng.choice((0, 0, 1, 1, 2, 3, 4))
        for looked, place in enumerate(self._unseen()):
            if place != self._here:
                await self._go(place, "search", "", place)
            if place in self._shut:
                await self._open(place, "search open", "", place)
            fresh = [thing for thing in self._content.get(place, ()) if kind_of(thing) not in seen]
            wanted = [thing for thing in fresh if kind_of(thing) in (kinds or {kind_of(thing)}.difference(LAMPS))]
            if wanted and looked >= patience:
                thing = self._rng.choice(wanted)
                self._intend(first, kind_of(thing))
                return thing
            seen.update(map(kind_of, fresh))
        del self.steps[first:]  # a search for nothing serves no goal
        raise _Over

    def _intend(self, first: int, kind: str) -> None:
        for number in range(first, len(self.steps)):
            step = self.steps[number]
            if step.purpose is not None and step.purpose[0].startswith("search"):
                self.steps[number] = replace(step, purpose=(step.purpose[0], kind, step.purpose[2]))

    def _unseen(self) -> list[str]:
        """Places whose content is unknown: from the end of the list, those with a lid last; or in any order."""
        unseen = [place for place in reversed(self._places) if place not in self._content]
        if self._rng.random() < 0.3:
            self._rng.shuffle(unseen)
        return sorted(unseen, key=lambda place: (place != self._here, kind_of(place) in _LIDS))

    async def _treat(self, thing: str) -> None:
        verb = self._rng.choice(list(_TREATMENTS))
        place = next((place for place in self._places if kind_of(place) == _TREATMENTS[verb]), None)
        if place is None:
            return
        if place != self._here:
            await self._go(place, "approach", verb, thing, place)
        if f"{verb} {thing} with {place}" in await self._episode.admissible_actions():
            await self._act(f"{verb} {thing} with {place}", "make", verb, thing, place)

    async def _put(self, thing: str) -> None:
        for place in self._rng.sample(self._places, min(3, len(self._places))):
            if place != self._here:
                await self._go(place, "bring", thing, place)
            if place in self._shut:
                if self._rng.random() < 0.15:
                    await self._act(f"move {thing} to {place}", "put", thing, place)
                await self._open(place, "bring open", thing, place)
            if f"move {thing} to {place}" in await self._episode.admissible_actions():
                await self._act(f"move {thing} to {place}", "put", thing, place)
                self._content.setdefault(place, []).append(thing)
                self._held = ""
                return
            if self._rng.random() < 0.5:
                await self._act(f"move {thing} to {place}", "put", thing, place)
        raise _Over

    # --- moving and acting ----------------------------------------------------------------------------------

    async def _go(self, place: str, *purpose: str) -> None:
        observation = await self._act(f"go to {place}", *purpose)
        if observation == NOTHING and place != self._here:
            raise _Over
        if observation != NOTHING:
            self._here = place
            self._note(place, observation)
        if self._rng.random() < 0.02:
            await self._act(f"go to {place}", *purpose)

    async def _open(self, place: str, *purpose: str) -> None:
        self._shut.discard(place)
        self._note(place, await self._act(f"open {place}", *purpose))

    def _note(self, place: str, observation: str) -> None:
        if place in _CLOSED.findall(observation):
            self._shut.add(place)
        else:
            self._content[place] = listed_things(observation)

    def _where(self, thing: str) -> str:
        return next(place for place, things in self._content.items() if thing in things)

    async def _act(self, action: str, *purpose: str) -> str:
        reply = await self._episode.step(action)
        self.steps.append(PlayStep(action, reply.observation, purpose))
        if reply.done:
            raise _Over
        return reply.observation
