"""Exercises in copying over ScienceWorld's names: lists, doors, and goals over the things of a room."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from typing import Final

from shared.react import first_message, turn_text
from trainer.dialogue import Message, Turn, dialogue, recalling, reciting, repeating
from trainer.worlds.sciworld_look import listed_names

Think = Callable[[Sequence[str]], str]
"""A thought for the first of some actions."""

_DOOR: Final = re.compile(r"A door to the (.+?) \(that is (open|closed)\)")
_REPLY: Final = {
    "pick up": "You move the {0} to the inventory.",
    "move": "You move the {0} to the {1}.",
    "focus on": "You focus on the {0}.",
    "go to": "You move to the {0}.",
    "open door to": "The door is now open.",
    "open": "The {0} is now open.",
}


def copying(names: Sequence[str], places: Sequence[str], think: Think, rng: random.Random) -> list[Message]:
    """A short exercise over real names: repeat, look up, find in a list, choose the door, do what the goal says."""
    some = rng.sample(list(names), rng.randint(3, 12))
    kind = rng.randrange(6)
    if kind == 0:
        return repeating(some)
    if kind == 1:
        return recalling(some, places, rng)
    if kind == 2:
        return reciting(some, rng)
    return _door(places, think, rng) if kind == 3 else _plan(some, think, rng)


def _door(places: Sequence[str], think: Think, rng: random.Random) -> list[Message]:
    doors = rng.sample(list(places), rng.randint(2, min(5, len(places))))
    goal = rng.choice(doors)
    seen = "\n".join(f"\tA door to the {place} (that is open)" for place in doors)
    action = f"go to {goal}"
    return [
        Message("user", first_message(f"Your task is to go to the {goal}.", f"You also see:\n{seen}")),
        Message("assistant", turn_text(think([action]), action)),
        Message("user", f"You move to the {goal}."),
    ]


def _plan(some: Sequence[str], think: Think, rng: random.Random) -> list[Message]:
    one, two = rng.sample(some, 2)
    plans = (
        [f"pick up {one}", f"move {one} to {two}"],
        [f"focus on {one}"],
        [f"look at {one}", f"look at {two}"],
        [f"focus on {one}", f"pick up {one}", f"move {one} to {two}"],
        [f"open {one}", f"look in {one}"],
    )
    plan = list(rng.choice(plans))
    goal = ", then ".join(
        re.sub(r"^(pick up|focus on|look at|look in|move|open) ", r"\1 the ", a).replace(" to ", " to the ") for a in plan
    )
    listed = "\n".join(f"\ta {name}" for name in some)
    messages = [Message("user", first_message(f"Your task is to {goal}.", f"Here you see: \n{listed}"))]
    for position, action in enumerate(plan):
        messages += [Message("assistant", turn_text(think(plan[position:]), action)), Message("user", "Done.")]
    return messages


def _way(look: str, rng: random.Random) -> list[tuple[str, tuple[str, ...]]]:
    doors = _DOOR.findall(look)
    if not doors:
        return []
    place, state = rng.choice(doors)
    return [("open door to", (place,)), ("go to", (place,))] if state == "closed" else [("go to", (place,))]


def doing(look: str, instruction: str, think: Think, rng: random.Random) -> list[Message] | None:
    """A short exercise in a room that was really seen: a goal over things in it, and what does it, step by step.

    The replies are written here in the simulator's words, not played: what is practised is to find the goal's names
    again in thought and action.
    """
    things = listed_names(look)
    if len(things) < 2:
        return None
    one, two = rng.sample(things, 2)
    focus, pick, move = ("focus on", (one,)), ("pick up", (one,)), ("move", (one, two))
    way = _way(look, rng)
    plans: list[list[tuple[str, tuple[str, ...]]]]
    plans = [
        [pick],
        [focus],
        way or [pick],
        [pick, move],
        [focus, pick, move],
        [pick, *way],
        [("open", (one,))],
        [focus, ("focus on", (two,))],
    ]
    plan = rng.choice(plans)
    clauses = [
        f"{verb} the {names[0]}" + (f" to the {names[1]}" if verb == "move" else "")
        for verb, names in plan
        if verb != "open door to"
    ]
    goal = f"Your task is to {', then '.join(clauses)}."
    if plan[0] == pick and rng.random() < 0.5 and len(plan) > 1 and plan[1] == move:
        goal = f"Your task is to find the {one}. Then, move it to the {two}."
    elif plan == [focus, pick, move] and rng.random() < 0.7:
        goal = f"Your task is to find a(n) {one}. First, focus on the thing. Then, move it to the {two}."
    actions = [f"{verb} {names[0]}" + (f" to {names[1]}" if verb == "move" else "") for verb, names in plan]
    replies = [_REPLY[verb].format(*names) for verb, names in plan]
    turns = [
        Turn(think(actions[position:]), action, reply)
        for position, (action, reply) in enumerate(zip(actions, replies, strict=True))
    ]
    return dialogue(instruction, goal, look, turns)
