"""The expert's thoughts: one short, truthful sentence for an action, found by looking ahead in its plan.

A thought names the sub-goal the action serves and copies the names of things and places exactly as the actions
spell them, in a wording that repeats itself: what a small student has to learn is to copy and to look ahead, not
style. Everything said follows from the plan alone (what comes next, where it happens), so nothing said is untrue.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MAX_WORDS: Final = 25

_GRAMMAR: Final = tuple(
    (verb, re.compile(pattern))
    for verb, pattern in (
        ("choose", r"(\d+)"),
        ("open door", r"open door to (.+)"),
        ("close door", r"close door to (.+)"),
        ("go to", r"(?:go|move) (?:to|through) (?:door to )?(.+)"),
        ("teleport to", r"teleport to (.+)"),
        ("open", r"open (.+)"),
        ("close", r"close (.+)"),
        ("deactivate", r"(?:deactivate|turn off) (.+)"),
        ("activate", r"(?:activate|turn on) (.+)"),
        ("disconnect", r"disconnect (.+)"),
        ("connect", r"connect (.+?) to (.+)"),
        ("use", r"use (.+?) on (.+)"),
        ("look around", r"look(?: around)?"),
        ("look in", r"look (?:in|into|inside|on) (.+)"),
        ("look at", r"look at (.+)"),
        ("examine", r"examine (.+)"),
        ("read", r"read (.+)"),
        ("pick up", r"(?:pick up|take|get) (.+)"),
        ("put down", r"(?:put down|drop) (.+)"),
        ("move", r"(?:move|put) (.+?) to (.+)"),
        ("move", r"(?:move|put) (.+) (?:into|in|on) (.+)"),
        ("pour", r"pour (.+?) (?:into|to) (.+)"),
        ("pour", r"pour (.+) in (.+)"),
        ("dunk", r"dunk (.+?) into (.+)"),
        ("dunk", r"dunk (.+) in (.+)"),
        ("mix", r"mix (.+)"),
        ("eat", r"(?:eat|consume) (.+)"),
        ("flush", r"flush (.+)"),
        ("focus on", r"focus on (.+)"),
        ("wait", r"wait\d*"),
        ("inventory", r"inventory"),
    )
)
_PAIRING: Final = {"connect": "to", "use": "on", "move": "to", "pour": "into", "dunk": "into"}
_TRAVEL: Final = frozenset({"open door", "go to", "teleport to"})
_PASSING: Final = frozenset({"look around", "inventory", "choose", "wait"})
"""Actions that serve no goal of their own: looking ahead goes past them."""


@dataclass(frozen=True, slots=True)
class ParsedAction:
    """An action split into its verb and the names it mentions; an unknown one has the verb ``""``."""

    verb: str
    names: tuple[str, ...]
    text: str

    @property
    def clause(self) -> str:
        """The action inside a sentence: ``move metal pot to sink`` is "move the metal pot to the sink"."""
        if not self.names:
            return self.text
        if self.verb == "open door":
            return f"open the door to the {self.names[0]}"
        if self.verb == "close door":
            return f"close the door to the {self.names[0]}"
        if len(self.names) == 2:
            return f"{self.verb} the {self.names[0]} {_PAIRING[self.verb]} the {self.names[1]}"
        return f"{self.verb} the {self.names[0]}"


def parse_action(action: str) -> ParsedAction:
    """Split an action by the simulator's grammar. Never raises."""
    text = " ".join(action.split())
    for verb, pattern in _GRAMMAR:
        if found := pattern.fullmatch(text):
            return ParsedAction(verb, tuple(found.groups()), text)
    return ParsedAction("", (), text)


def thought(plan: Sequence[str]) -> str:
    """A sentence for ``plan[0]`` that names what it is for; empty for an empty plan.

    Of several wordings the first of at most ``MAX_WORDS`` words is taken, else the shortest (names can be long).
    """
    if not plan:
        return ""
    steps = [parse_action(action) for action in plan]
    wordings = _travel(steps) if steps[0].verb in _TRAVEL else _deed(steps)
    return next(
        (text for text in wordings if len(text.split()) <= MAX_WORDS), min(wordings, key=lambda text: len(text.split()))
    )


def _travel(steps: Sequence[ParsedAction]) -> list[str]:
    """Doors and ways: where the walk ends and what is done there."""
    way = next((i for i, step in enumerate(steps) if step.verb not in _TRAVEL | _PASSING), len(steps))
    walked = [step.names[0] for step in steps[:way] if step.verb in {"go to", "teleport to"}]
    first, place = steps[0], steps[0].names[0]
    goal = walked[-1] if walked else place
    if first.verb == "open door":
        rest = f"The door to the {place} comes first, so I open it."
    elif first.verb == "teleport to":
        rest = "I can be there at once, so I teleport."
    elif place == goal:
        rest = "It is the next place, so I go there."
    else:
        rest = f"The way leads through the {place}, so I go there."
    needs = [f"I want to be in the {goal}."]
    if way < len(steps) and steps[way].names:
        needs = [f"I need the {goal} to {steps[way].clause}.", f"I need the {goal} for the {steps[way].names[0]}.", *needs]
    return [f"{need} {rest}" for need in needs]


def _deed(steps: Sequence[ParsedAction]) -> list[str]:
    """Everything else: the action's own reason, and what it is done for where that adds something."""
    first = steps[0]
    reason = _reason(first)
    wordings = [reason, f"Now I {first.clause}."]
    after = _next_deed(steps)
    if after is None or first.verb in {"focus on", "choose", "inventory", "put down"}:
        return wordings
    if first.verb == "pick up":
        return [f"I need the {first.names[0]} to {after.clause}, so I pick it up.", *wordings]
    return [f"I want to {after.clause}. {reason}", *wordings]


def _next_deed(steps: Sequence[ParsedAction]) -> ParsedAction | None:
    """The later action that the first one serves: the next that uses its thing, else the next of any weight."""
    first = steps[0]
    undone = {"close", "deactivate", "open", "put down"}
    later = [step for step in steps[1:] if step.verb not in _PASSING | _TRAVEL and step.text != first.text]
    if first.verb in {"pick up", "open", "activate"}:
        later = [step for step in later if not (step.verb in undone and step.names[0] == first.names[0])]
        using = (step for step in later if step.verb not in undone and any(first.names[0] in name for name in step.names))
        return next(using, later[0] if later else None)
    return later[0] if later else None


def _reason(step: ParsedAction) -> str:
    """Why the action itself is done, in one sentence that stands alone."""
    one = step.names[0] if step.names else ""
    two = step.names[1] if len(step.names) > 1 else ""
    heat = "thermometer" in one
    reasons = {
        "choose": f"The simulator asks which one I mean, and number {one} will do.",
        "close door": f"The door to the {one} should be shut now, so I close it.",
        "open": f"First the {one} has to be open, so I open it.",
        "close": f"The {one} should be shut from now on, so I close it.",
        "activate": f"First the {one} has to be on, so I activate it.",
        "deactivate": f"The {one} has been on for long enough, so I deactivate it.",
        "connect": f"The circuit needs a contact there, so I connect the {one} to the {two}.",
        "disconnect": f"The {one} should be free of contacts, so I disconnect it.",
        "use": f"I need to know how hot the {two} is, so I use the {one} on it."
        if heat
        else f"The {two} has to be worked on, so I use the {one} on it.",
        "look around": "First I need to see what is here, so I look around.",
        "look at": f"I need to see how the {one} is now, so I look at it.",
        "look in": f"I need to see what is there, so I look in the {one}.",
        "examine": f"I need to see how the {one} is now, so I examine it.",
        "read": f"I need to know what the {one} says, so I read it.",
        "pick up": f"I need the {one} out of its place, so I pick it up.",
        "put down": f"I need not carry the {one} any longer, so I put it down.",
        "move": f"The {one} has to be at the {two}, so I move it there.",
        "pour": f"What is in the {one} has to be in the {two}, so I pour it.",
        "dunk": f"The {one} has to go into the {two}, so I dunk it.",
        "mix": f"The things in the {one} have to become one, so I mix the {one}.",
        "eat": f"The {one} has to be eaten for the task, so I eat it.",
        "flush": f"The {one} has to be empty of water, so I flush it.",
        "focus on": f"The task is about the {one}, so I focus on the {one}.",
        "wait": "That takes some more time from here on, so I wait.",
        "inventory": "I need to see what I carry with me, so I check the inventory.",
    }
    return reasons.get(step.verb, f"The next thing to try here for the task is: {step.text}.")
