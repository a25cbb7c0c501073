"""Plans, and what could lead back to the goal after an action the plan did not foresee.

Nothing here is known to work: candidates are tried in a scratch simulator (:mod:`services.sciworld.walk`), in the
order in which they are likely to be right and short.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from services.sciworld.contents import Contents
from services.sciworld.thoughts import ParsedAction, parse_action

LOOK: Final = "look around"
TRAVEL: Final = frozenset({"open door", "go to", "teleport to"})
LOOKS: Final = frozenset({"look around", "look at", "look in", "examine", "read", "inventory"})
SUBSTITUTABLE: Final = frozenset({"focus on", "pick up", "move", "pour", "connect", "use", "dunk", "mix"})
MAX_ALTERNATIVES: Final = 4
_CONTACT: Final = re.compile(r"\b(?:(?:anode|cathode|terminal \d)(?: (?:in|on))?)\b")
_OPPOSITE: Final = {"activate": "deactivate", "deactivate": "activate", "open": "close", "close": "open"}


@dataclass(frozen=True, slots=True)
class Deed:
    """An action and the room it belongs in ("" for anywhere)."""

    action: str
    room: str


Plan = tuple[Deed, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A plan to try.

    ``resort``: only when nothing before it reached the goal. ``direct``: the answer alone, which skips what the task
    wants found out first.
    """

    plan: Plan
    resort: bool = False
    direct: bool = False


def actions_of(plan: Plan) -> list[str]:
    """A plan's actions alone."""
    return [deed.action for deed in plan]


def annotate(actions: Sequence[str], start: str) -> Plan:
    """A plan of actions whose ways all succeed: the room each belongs in, by following the ways from ``start``."""
    deeds: list[Deed] = []
    room = start
    for action in actions:
        deeds.append(Deed(action, room))
        parsed = parse_action(action)
        if parsed.verb in {"go to", "teleport to"}:
            room = parsed.names[0]
    return tuple(deeds)


def thing(name: str) -> str:
    """A name without the place that an action may add: "thermometer in inventory" is a thermometer."""
    for word in (" in ", " on "):
        name = name.split(word)[0]
    return name.lower()


def component(name: str) -> str:
    """What a contact belongs to: "anode in red light bulb" to the red light bulb. Any other name stays as it is."""
    return _CONTACT.sub("", name).strip()


def same_deed(one: ParsedAction, other: ParsedAction) -> bool:
    """Whether two actions do the same to the same things, whatever place their names add."""
    return one.verb == other.verb and [thing(name) for name in one.names] == [thing(name) for name in other.names]


def candidates(plan: Plan, step: Deed, history: Sequence[Deed], initial: Plan, *, menu: int, done: bool) -> Iterator[Candidate]:
    """What to try after ``step``, where ``plan`` was the way before it; ``history`` are the deeds before ``step``.

    ``menu`` is how many numbers the engine offers when it asks an ambiguous request back, else 0. ``done`` is False
    when it swallowed the action instead of carrying it out.
    """
    parsed = parse_action(step.action)
    foreseen = next((i for i, deed in enumerate(plan) if done and same_deed(parse_action(deed.action), parsed)), None)
    without = plan if foreseen is None or parsed.verb in TRAVEL else plan[:foreseen] + plan[foreseen + 1 :]
    if menu:
        for number in range(min(menu, 2)):
            yield Candidate((Deed(str(number), step.room), *without))
        return
    answering = bool(plan) and parse_action(plan[0].action).verb == "choose"
    if answering and not done and history:
        yield Candidate((history[-1], *plan))  # the question is gone: ask for the same again
    if answering and done and parsed.verb == "choose":
        without = plan[1:]
    if done and foreseen is None and (other := _substituted(plan, parsed)) is not None:
        yield Candidate(other)
    if without != plan:
        yield Candidate(without)
    yield Candidate(plan)
    if foreseen:
        yield Candidate(plan[foreseen + 1 :])
    if done and (back := _undone(parsed, step.room, history)):
        yield Candidate((*back, *plan), resort=True)
    yield Candidate(initial, resort=True)
    yield direct(initial)


def direct(plan: Plan) -> Candidate:
    """The last deed of a plan alone."""
    last = next((i for i in reversed(range(len(plan))) if parse_action(plan[i].action).verb not in TRAVEL | {"choose"}), 0)
    return Candidate(plan[last:], resort=True, direct=True)


def alternatives(plan: Plan, contents: Contents) -> Iterator[Candidate]:
    """The plan with another living thing of the room in place of the one it focuses on next: any may do."""
    focus = next((deed for deed in plan if parse_action(deed.action).verb not in TRAVEL | LOOKS), None)
    if focus is None or parse_action(focus.action).verb != "focus on":
        return
    for place in contents.living(focus.room)[:MAX_ALTERNATIVES]:
        other = f"focus on {place.name}"
        if (rest := _substituted(plan, parse_action(other))) is not None:
            yield Candidate((Deed(other, focus.room), *rest), resort=True)


def _substituted(plan: Plan, parsed: ParsedAction) -> Plan | None:
    """The plan with another thing in the part of the one its next deed is about: any plant may do, any pot."""
    at = next((i for i, deed in enumerate(plan) if parse_action(deed.action).verb not in TRAVEL | LOOKS), None)
    if at is None or parsed.verb not in SUBSTITUTABLE:
        return None
    planned = parse_action(plan[at].action)
    differing = [(a, b) for a, b in zip(planned.names, parsed.names, strict=False) if thing(a) != thing(b)]
    if planned.verb != parsed.verb or len(differing) != 1:
        return None
    old, new = thing(differing[0][0]), thing(differing[0][1])
    return tuple(replace(deed, action=_renamed(deed.action, old, new)) for deed in plan[at + 1 :])


def _renamed(action: str, old: str, new: str) -> str:
    """Put ``new`` where an action's first or second name is about ``old``; longer names made of it give way as a whole."""
    parsed = parse_action(action)
    for name in parsed.names:
        if old in name.lower():
            action = action.replace(name, new)
    return action


def _undone(parsed: ParsedAction, room: str, history: Sequence[Deed]) -> Plan:
    """What takes an action back, as far as that goes; contacts that it broke are made again."""
    if not parsed.names:
        return ()
    name = parsed.names[0]
    if parsed.verb in _OPPOSITE:
        return (Deed(f"{_OPPOSITE[parsed.verb]} {name}", room),)
    earlier = [(deed, parse_action(deed.action)) for deed in history]
    contacts = {component(one) for one in parsed.names}
    wired = [
        deed for deed, before in earlier if before.verb == "connect" and contacts & {component(one) for one in before.names}
    ]
    if parsed.verb == "connect":
        return (*(Deed(f"disconnect {one}", room) for one in sorted(contacts)), *wired)
    if parsed.verb == "disconnect" or (parsed.verb == "pick up" and wired):
        return tuple(wired)
    if parsed.verb in {"put down", "move"}:
        return (Deed(f"pick up {thing(name)}", room), *wired)
    if parsed.verb == "pick up":
        moves = [deed for deed, before in earlier if before.verb == "move" and thing(before.names[0]) == thing(name)]
        return tuple(moves[-1:])
    return ()
