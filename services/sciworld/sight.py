"""What an agent has been shown: the expert looks around exactly where that first shows what it is going to name.

A plan may know where everything is; an agent that learns from it must be able to see it. Looking around takes no
simulated time and changes nothing, so looks can be put into a verified plan, or left out, without trying it again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from services.sciworld.plan import LOOK, TRAVEL, Deed, Plan, component, thing
from services.sciworld.thoughts import parse_action

_WORD: Final = re.compile(r"[a-z0-9][a-z0-9-]*")
_CLAUSE: Final = re.compile(r"[\n,.]")


@dataclass(frozen=True, slots=True)
class View:
    """What a look would have shown before an action, and what the engine replied to the action."""

    look: str
    reply: str


class Sight:
    """Everything shown so far. A name counts as shown when one clause has all its words ("a turtle egg": egg turtle)."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._clauses: set[frozenset[str]] = set()
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        """Take in a text of the engine."""
        self._clauses.update(_clauses(text))

    def knows(self, name: str) -> bool:
        """Whether ``name``, as an action spells it, was shown."""
        words = _words(name)
        return any(words <= clause for clause in self._clauses)


def shows(text: str, name: str) -> bool:
    """Whether a text shows ``name``."""
    return Sight([text]).knows(name)


def named(action: str) -> list[str]:
    """The things and places an action names, without the place or contact that the name may add."""
    parsed = parse_action(action)
    return [] if parsed.verb == "choose" else [thing(component(name)) for name in parsed.names]


def without_looks(plan: Plan) -> Plan:
    """A plan that looks around nowhere."""
    return tuple(deed for deed in plan if deed.action != LOOK)


def with_looks(plan: Plan, views: Sequence[View], start: str) -> Plan:
    """A plan that looks around before a deed whose things were not shown before and are by a look.

    ``views`` has one for each deed; ``start`` is the first observation of the episode.
    """
    sight, looking = Sight([start]), list[Deed]()
    for deed, view in zip(plan, views, strict=True):
        unknown = [name for name in named(deed.action) if not sight.knows(name)]
        if parse_action(deed.action).verb not in TRAVEL and any(shows(view.look, name) for name in unknown):
            looking.append(Deed(LOOK, deed.room))
            sight.add(view.look)
        looking.append(deed)
        sight.add(view.reply)
    return tuple(looking)


def _words(name: str) -> frozenset[str]:
    return frozenset(_WORD.findall(name.lower()))


def _clauses(text: str) -> set[frozenset[str]]:
    return {words for clause in _CLAUSE.split(text.lower()) if (words := frozenset(_WORD.findall(clause)))}
