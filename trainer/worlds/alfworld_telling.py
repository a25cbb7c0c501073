"""How play in ALFWorld is told: goals in hindsight and thoughts, in its experts' sentences."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import Final

from services.alfworld import sentences
from trainer.play import PlayStep
from trainer.worlds.alfworld_walk import NOTHING, kind_of

_THING: Final = re.compile(r"\b([a-z]+ \d+)")

_DEEDS: Final = frozenset({"go", "open", "examine", "take", "make", "put", "use", "valid"})


def thought(step: PlayStep) -> str:
    """What a step is for, by its purpose; for one without, what it does."""
    what, *names = step.purpose or ("valid",)
    match what, names:
        case "search" | "search open", [kind, place]:
            return sentences.search(kind, place, closed=what == "search open")
        case "fetch", [thing, place]:
            return sentences.fetch(thing, place, closed=False)
        case "bring" | "bring open", [thing, place]:
            return sentences.bring(thing, place, closed=what == "bring open")
        case "approach", [verb, thing, place]:
            return sentences.approach(verb, thing, place)
        case "to use", [lamp, place]:
            return sentences.approach_lamp(lamp, place)
        case "make", [verb, thing, place]:
            return sentences.make(verb, thing, place)
        case "take", [thing, _]:
            return sentences.take(thing)
        case "put", [thing, place]:
            return sentences.put(thing, place)
        case "use", [lamp]:
            return sentences.turn_on(lamp)
        case _:
            return "I have to " + _THING.sub(r"the \1", step.action) + "."


def told_steps(steps: Sequence[PlayStep]) -> list[PlayStep]:
    """The steps up to the last that achieved something an errand can be told by."""
    achieved = [
        number
        for number, step in enumerate(steps)
        if step.observation != NOTHING and step.purpose is not None and step.purpose[0] in _DEEDS
    ]
    return list(steps[: achieved[-1] + 1]) if achieved else []


def errand_goal(steps: Sequence[PlayStep], rng: random.Random) -> str | None:
    """A task statement that these steps fulfil; None when nothing succeeded."""
    clauses: list[str] = []
    carried = ""
    for step in steps:
        if step.observation == NOTHING or step.purpose is None:
            continue
        what, *names = step.purpose
        clause = _clause(what, names, carried, rng)
        carried = names[0] if what == "take" else carried
        if clause:
            clauses.append(clause)
    clauses = list(dict.fromkeys(clauses))
    if not clauses:
        return None
    if len(clauses) == 1:
        return f"Your task is to: {clauses[0]}."
    if rng.random() < 0.5:
        return f"Your task is to: {', '.join(clauses[:-1])} and {clauses[-1]}."
    return "Your task is to: " + ", then ".join(clauses) + "."


def _clause(what: str, names: Sequence[str], carried: str, rng: random.Random) -> str:
    match what, names:
        case "go", [place]:
            return f"go to the {place}"
        case "open" | "examine", [place]:
            return f"{what} the {place}"
        case "take", [thing, place]:
            if rng.random() < 0.3:
                return f"take the {thing} from the {place}"
            return f"{rng.choice(('find a', 'take a', 'find some'))} {kind_of(thing)}"
        case "make", [verb, thing, _]:
            return f"{verb} it" if thing == carried else f"{verb} the {thing}"
        case "put", [thing, place]:
            named = "it" if thing == carried and rng.random() < 0.7 else f"the {thing}"
            if rng.random() < 0.5 or not place.endswith(" 1"):
                return f"move {named} to the {place}"
            return f"{rng.choice(('put {} in', 'put {} on', 'bring {} to')).format(named)} {kind_of(place)}"
        case "use", [lamp]:
            return f"turn on the {lamp if rng.random() < 0.5 else kind_of(lamp)}"
        case _:
            return ""
