"""Goals in hindsight for errands in ScienceWorld: task statements made from what succeeded."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import Final

from trainer.play import PlayStep

_FAILED: Final = re.compile(
    r"No known action|Ambiguous|not sure|can't|cannot|[Uu]nable|already|not |doesn't|must|It's not clear|nothing happens",
    re.IGNORECASE,
)


def failed(step: PlayStep) -> bool:
    """Whether the reply reads like a refusal."""
    return _FAILED.search(step.observation) is not None


def _clauses(steps: Sequence[PlayStep]) -> list[str]:
    """What an errand achieved, as clauses of a task statement."""
    clauses: list[str] = []
    where, carried = "", ""
    for step in steps:
        if step.purpose is None or failed(step):
            continue
        what, *names = step.purpose
        if what in {"look", "teleport"}:
            where = names[0]
        if what == "look":
            clauses.append(f"go to the {where}")
        elif what == "pick":
            carried = names[0]
            clauses.append(f"pick up the {carried}")
        elif what == "move":
            thing = "it" if names[0] == carried and clauses and clauses[-1] != "" else f"the {names[0]}"
            if clauses and clauses[-1] == f"go to the {where}":
                clauses.pop()
            clauses.append(f"move {thing} to the {names[1]}" + (f" in the {where}" if where else ""))
        elif what == "two":
            verb, pairing = names[0].replace("{}", "").split()
            clauses.append(f"{verb} the {names[1]} {pairing} the {names[2]}")
        elif what in {"focus", "lookat", "lookin", "openc", "drop", "verb"}:
            verb = {"focus": "focus on", "lookat": "look at", "lookin": "look in", "openc": "open", "drop": "put down"}
            clauses.append(f"{verb.get(what, names[0])} the {names[-1]}")
    return list(dict.fromkeys(clauses))


def errand_goal(steps: Sequence[PlayStep], rng: random.Random) -> str | None:
    """A task statement that these steps fulfil; None when nothing succeeded."""
    clauses = _clauses(steps)
    if not clauses:
        return None
    picks = [clause.removeprefix("pick up the ") for clause in clauses if clause.startswith("pick up the ")]
    ends = [clause for clause in clauses if clause.startswith("move it to the ")]
    if len(picks) == 1 and len(ends) == 1 and rng.random() < 0.6:
        thing = rng.choice((f"a(n) {picks[0]}", f"the {picks[0]}", "something"))
        focus = "First, focus on the thing. Then, " if f"focus on the {picks[0]}" in clauses else "Then, "
        return f"Your task is to find {thing}. {focus}{ends[0]}."
    if len(clauses) == 1:
        return f"Your task is to {clauses[0]}."
    style = rng.randrange(3)
    if style == 0:
        return f"Your task is to {', '.join(clauses[:-1])} and {clauses[-1]}."
    if style == 1:
        return f"Your task is to {clauses[0]}. " + " ".join(f"Then, {clause}." for clause in clauses[1:])
    return f"First, {clauses[0]}. " + " ".join(f"Then, {clause}." for clause in clauses[1:])
