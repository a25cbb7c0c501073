"""Exercises in copying over ALFWorld's names and numbers."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import Final

from services.alfworld import sentences
from shared.react import first_message, turn_text
from trainer.dialogue import Message, dialogue, recalling, reciting, repeating
from trainer.worlds.alfworld_walk import kind_of, listed_things

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
    """An exercise where something was really seen: take it and put it back, or somewhere else, as the goal says.

    The replies are written here in the engine's words, not played.
    """
    arrived, things = _ARRIVED.match(look), listed_things(look)
    if arrived is None or not things:
        return None
    place, thing = arrived.group(1), rng.choice(things)
    wanted = thing if rng.random() < 0.5 else kind_of(thing)
    action = f"take {thing} from {place}"
    turns = [(sentences.take(thing), action, f"You pick up the {thing} from the {place}.")]
    goal = f"Your task is to: take the {wanted} from the {place}."
    if rng.random() < 0.5:
        back = (sentences.put(thing, place), f"move {thing} to {place}", f"You move the {thing} to the {place}.")
        turns.append(back)
        goal = f"Your task is to: take the {wanted} and move it to the {place}."
    return dialogue(instruction, goal, look, turns)
