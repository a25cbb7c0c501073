"""Exercises in copying over ALFWorld's names and numbers."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import Final

from services.alfworld import sentences
from services.alfworld.generate_rooms import FITS
from shared.react import first_message, turn_text
from trainer.dialogue import Message, Turn, dialogue, recalling, reciting, repeating
from trainer.worlds.alfworld_walk import kind_of, listed_things

PLACES: Final = sorted(place.lower() for place in FITS)
KINDS: Final = sorted({kind.lower() for kinds in FITS.values() for kind in kinds})
_ARRIVED: Final = re.compile(r"You (?:arrive at|open the) ([a-z]+ \d+)\.")


def copying(kinds: Sequence[str], rng: random.Random) -> list[Message]:
    """A short exercise over real names: repeat, say where things are, recite, or go where the goal says."""
    names = [f"{kind} {rng.randint(1, 6)}" for kind in rng.sample(list(kinds), rng.randint(4, 12))]
    kind = rng.randrange(5)
    if kind == 0:
        return repeating(names)
    if kind == 1:
        half = len(names) // 2
        return recalling(names[:half], names[half:], rng)
    if kind == 2:
        return reciting(names, rng)
    return _going(names, rng)


def _going(places: Sequence[str], rng: random.Random) -> list[Message]:
    """Places of one kind differ in their numbers alone: those have to be copied as well."""
    several = [f"{kind_of(places[0])} {number}" for number in range(rng.randint(2, 6), 0, -1)]
    seen = [*several, *places[1:]]
    goals = rng.sample(several, min(2, len(several)))
    room = f"You are in the middle of a room. Looking quickly around you, you see {_listed(seen)}."
    messages = [Message("user", first_message(f"Your task is to: go to the {goals[0]} and the {goals[1]}.", room))]
    for place in goals:
        messages += [
            Message("assistant", turn_text(f"I have to go to the {place}.", f"go to {place}")),
            Message("user", f"You arrive at {place}. On the {place}, you see nothing."),
        ]
    return messages


def _listed(names: Sequence[str]) -> str:
    named = [f"a {name}" for name in names]
    return f"{', '.join(named[:-1])}, and {named[-1]}" if len(named) > 1 else named[0]


def doing(look: str, instruction: str, rng: random.Random) -> list[Message] | None:
    """An exercise at a place that was really seen: is what the goal asks for here? Then take it, else look elsewhere.

    The room and the last reply are written here in the engine's words, not played.
    """
    arrived = _ARRIVED.match(look)
    if arrived is None:
        return None
    place, things = arrived.group(1), listed_things(look)
    here = {kind_of(thing): thing for thing in reversed(things)}
    kind = rng.choice(list(here) if here and rng.random() < 0.6 else KINDS)
    elsewhere = f"{rng.choice(PLACES)} {rng.randint(1, 3)}"
    room = f"You are in the middle of a room. Looking quickly around you, you see {_listed(rng.sample([place, elsewhere], 2))}."
    verb = "go to" if look.startswith("You arrive") else "open"
    turns = [Turn(sentences.search(kind, place, closed=verb == "open"), f"{verb} {place}", look)]
    if kind in here:
        thing = here[kind]
        turns.append(Turn(sentences.take(thing), f"take {thing} from {place}", f"You pick up the {thing} from the {place}."))
        goal = f"Your task is to: {rng.choice(('find a', 'find some', 'take a'))} {kind}."
        if rng.random() < 0.5:
            goal = f"{goal[:-1]} and move it to the {place}."
            turns.append(Turn(sentences.put(thing, place), f"move {thing} to {place}", f"You move the {thing} to the {place}."))
    else:
        thought = sentences.search(kind, elsewhere, closed=False)
        turns.append(Turn(thought, f"go to {elsewhere}", f"You arrive at {elsewhere}. On the {elsewhere}, you see nothing."))
        goal = f"Your task is to: {rng.choice(('find a', 'find some', 'take a'))} {kind}."
    return dialogue(instruction, goal, room, turns)
