"""Play in ALFWorld: errands at random in a house, and idle wandering.

An errand is for a thing that is somewhere: it is looked for in likely places first, taken, treated and put where it fits.
Where things are is found out by a scout beforehand, so that an errand has its purpose from the first step; what the player
does follows from its purpose and from what it has seen. Errors that a small student makes (a closed drawer, going to where
one is or where nothing is, taking what is not there, a place that takes nothing of the kind) happen and are repaired; they
stay in, for what is said after them.
"""

from __future__ import annotations

import random
import re
from typing import Final

from services.alfworld.generate_rooms import CLEANABLE, COOLABLE, FITS, FIXED, HEATABLE
from shared.environment import Episode
from trainer.play import PlayStep

NOTHING: Final = "Nothing happens."
LAMP: Final = "desklamp"
_ITEM: Final = re.compile(r"\ban? ([a-z]+ \d+)")
_CLOSED: Final = re.compile(r"The ([a-z]+ \d+) is closed\.")
_LIDS: Final = frozenset({"cabinet", "drawer", "fridge", "microwave", "safe"})
"""What is mostly closed, and so looked into last."""
_DULL: Final = ("help", "inventory", "look")
_FITS: Final = {place.lower(): frozenset(kind.lower() for kind in kinds) for place, kinds in FITS.items()}
_FIXED: Final = frozenset(kind.lower() for kind in FIXED)
_TREATMENTS: Final = {
    verb: (place, frozenset(kind.lower() for kind in kinds))
    for verb, place, kinds in (
        ("clean", "sinkbasin", CLEANABLE),
        ("heat", "microwave", HEATABLE),
        ("cool", "fridge", COOLABLE),
    )
}


def listed_things(observation: str) -> list[str]:
    """Things and places that a reply lists, with their numbers, in order."""
    return _ITEM.findall(observation.partition("you see ")[2])


def kind_of(thing: str) -> str:
    """``mug 2`` is a ``mug``."""
    return thing.rpartition(" ")[0]


def takes(place: str, kind: str) -> bool:
    """Whether things of a kind are kept in or on a place."""
    return kind in _FITS.get(kind_of(place), ())


async def scout(episode: Episode) -> frozenset[str]:
    """Kinds of things in a house; the episode is spent for it."""
    found: list[str] = []
    for place in listed_things(episode.observation):
        for command in (f"go to {place}", f"open {place}"):
            found += listed_things((await episode.step(command)).observation)
    return frozenset(map(kind_of, found))


class _Over(Exception):
    """The episode ended, or the errand cannot go on."""


class Walk:
    """One episode under way: where the player is, what it has seen, and what it did and why. ``kinds`` are there to find."""

    def __init__(self, episode: Episode, kinds: frozenset[str], rng: random.Random) -> None:
        self._episode, self._rng = episode, rng
        self._kinds = sorted(kinds - _FIXED)
        self._lit = LAMP in kinds
        self.steps: list[PlayStep] = []
        self._places = listed_things(episode.observation)
        self._here = ""
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
        """One to three legs: look at places, or find a thing and do something with it, or turn on a lamp."""
        try:
            for _ in range(self._rng.choice((1, 1, 1, 2, 2, 3))):
                deed = self._rng.choices((self._inspect, self._carry, self._light), (12, 70, 18 if self._lit else 0))[0]
                await deed()
        except _Over:
            return

    # --- legs -----------------------------------------------------------------------------------------------

    async def _inspect(self) -> None:
        for place in self._rng.sample(self._places, min(len(self._places), self._rng.randint(1, 3))):
            if place != self._here:
                await self._go(place, "go", place)
            if place in self._shut and self._rng.random() < 0.8:
                await self._open(place, "open", place)

    async def _carry(self) -> None:
        if not self._kinds:
            raise _Over
        kind = self._rng.choice(self._kinds)
        thing = await self._find(kind)
        await self._take(thing)
        if self._rng.random() < 0.12:
            raise _Over  # with full hands there is nothing else to do
        treatments = [verb for verb, (_, kinds) in _TREATMENTS.items() if kind in kinds]
        if treatments and self._rng.random() < 0.4:
            await self._treat(self._rng.choice(treatments), thing)
        await self._put(thing)

    async def _light(self) -> None:
        lamp = await self._find(LAMP)
        place = self._where(lamp)
        if place != self._here:
            await self._go(place, "to use", lamp, place)
        await self._act(f"use {lamp}", "use", lamp)

    async def _find(self, kind: str) -> str:
        """The first thing of a kind that is known, or turns up."""
        for place in ["", *self._unseen(kind)]:
            if place:
                if place != self._here:
                    await self._go(place, "search", kind, place)
                if place in self._shut:
                    await self._open(place, "search open", kind, place)
                await self._misread(kind, place)
            for things in self._content.values():
                for thing in things:
                    if kind_of(thing) == kind:
                        return thing
        raise _Over

    def _unseen(self, kind: str) -> list[str]:
        """Places whose content is unknown: those that take the kind first, those with a lid last, from the end of the list."""
        unseen = [place for place in reversed(self._places) if place not in self._content]
        return sorted(unseen, key=lambda place: (place != self._here, not takes(place, kind), kind_of(place) in _LIDS))

    async def _take(self, thing: str) -> None:
        place = self._where(thing)
        if place != self._here:
            if self._here and self._rng.random() < 0.05:
                await self._act(f"take {thing} from {self._here}", "take", thing, self._here)
            await self._go(place, "fetch", thing, place)
        if f"take {thing} from {place}" not in await self._episode.admissible_actions():
            raise _Over
        await self._act(f"take {thing} from {place}", "take", thing, place)
        self._content[place].remove(thing)

    async def _treat(self, verb: str, thing: str) -> None:
        place = next((place for place in self._places if kind_of(place) == _TREATMENTS[verb][0]), None)
        if place is None:
            return
        if place != self._here:
            await self._go(place, "approach", verb, thing, place)
        await self._act(f"{verb} {thing} with {place}", "make", verb, thing, place)

    async def _put(self, thing: str) -> None:
        fitting = [place for place in self._places if takes(place, kind_of(thing)) and place != self._here]
        if not fitting:
            raise _Over
        wrong = [place for place in self._places if place not in fitting and self._rng.random() < 0.02]
        for place in [*wrong[:1], self._rng.choice(fitting)]:
            if place != self._here:
                await self._go(place, "bring", thing, place)
            if place in self._shut:
                if self._rng.random() < 0.08:
                    await self._act(f"move {thing} to {place}", "put", thing, place)
                await self._open(place, "bring open", thing, place)
            if await self._act(f"move {thing} to {place}", "put", thing, place) != NOTHING:
                self._content.setdefault(place, []).append(thing)
                return
        raise _Over

    async def _misread(self, kind: str, place: str) -> None:
        """Now and then, reach for a thing of a kind that is not there, or by another number."""
        thing = f"{kind} {self._rng.randint(1, 4)}"
        if self._rng.random() < 0.05 and thing not in self._content[place]:
            await self._act(f"take {thing} from {place}", "take", thing, place)

    # --- moving and acting ----------------------------------------------------------------------------------

    async def _go(self, place: str, *purpose: str) -> None:
        if self._here and self._rng.random() < 0.01:
            await self._act(f"go to {self._here}", *purpose)
        if self._rng.random() < 0.03:
            absent = f"{kind_of(place)} {self._rng.randint(1, 9)}"
            if absent not in self._places:
                await self._act(f"go to {absent}", *purpose[:-1], absent)
        observation = await self._act(f"go to {place}", *purpose)
        if observation == NOTHING:
            raise _Over
        self._here = place
        self._note(place, observation)

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
