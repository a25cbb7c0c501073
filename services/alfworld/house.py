"""What the experts read off a state: where the agent is, what it holds, where things are and what is open.

Knows the domain's predicates by name. A domain without them is still played; its experts are then not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.alfworld.domain import Literal, literals
from services.alfworld.game import Game
from services.alfworld.tables import Fact, Path, Table, Tables
from shared.errors import RestepError

AT: Final = "atlocation"
PLACE: Final = "receptacleatlocation"
IN: Final = "inreceptacle"
OPENED: Final = "opened"
OPENABLE: Final = "openable"
HOLDS: Final = "holds"
TOGGLED: Final = "istoggled"
STATES: Final = {"isclean": "cleanobject", "ishot": "heatobject", "iscool": "coolobject"}
"""What a thing can be made, and by which action."""
PUT: Final = "putobject"
TAKE: Final = "pickupobject"
GO: Final = "gotolocation"
OPEN: Final = "openobject"
USE: Final = "toggleobject"


@dataclass(frozen=True, slots=True)
class Situation:
    """A state as the experts see it. ``where`` maps things to their receptacles, ``made`` holds (state, thing).

    In some of the benchmark's games a thing is in two receptacles at first, and taken from one it stays in the other.
    """

    here: int
    held: int | None
    where: Mapping[int, frozenset[int]]
    opened: frozenset[int]
    made: frozenset[tuple[str, int]]


class House:
    """What never changes in a game: places, and what can be put, made and used where."""

    def __init__(self, game: Game) -> None:
        """Raises ``expert_failed`` for a domain of another kind."""
        self.game = game
        needed = (PUT, TAKE, GO, OPEN, *STATES.values(), USE)
        self.actions = {action.name: action for action in game.rules.actions}
        if missing := [name for name in needed if name not in self.actions]:
            raise RestepError("expert_failed", f"the expert does not know a domain without the action {missing[0]}")
        self.places: dict[int, int] = dict(self._pairs(PLACE))
        self.openable = frozenset(fact[0] for fact in self.facts(OPENABLE, game.tables))
        self.kinds = {thing: kind for predicate in ("objecttype", "receptacletype") for thing, kind in self._pairs(predicate)}
        self.liftable = frozenset(fact[0] for fact in self.facts("pickupable", game.tables))
        kinds = self._by_kind()
        fits = {(place, thing) for place, thing in self._pairs("cancontain")}
        self.accepting: dict[int, frozenset[int]] = {
            kind: frozenset(r for r in self.places if (self.kinds.get(r), kind) in fits) for kind in kinds
        }
        self.makers = {state: self._makers(action) for state, action in STATES.items()}

    def facts(self, predicate: str, tables: Tables) -> list[Fact]:
        """All facts of a predicate in a state; those never asked for by rule, text or goal are those of the beginning."""
        stores = self.game.stores.get(predicate, ())
        if not stores:
            return list(self.game.problem.facts.get(predicate, ()))
        number, path = stores[0]
        return list(_facts(path, tables[number]))

    def situation(self, tables: Tables) -> Situation:
        """A state as the experts see it."""
        held = self.facts(HOLDS, tables)
        where: dict[int, frozenset[int]] = {}
        for thing, receptacle in self.facts(IN, tables):
            where[thing] = where.get(thing, frozenset()) | {receptacle}
        states = (*STATES, TOGGLED)
        return Situation(
            here=self.facts(AT, tables)[0][1],
            held=held[0][1] if held else None,
            where=where,
            opened=frozenset(fact[0] for fact in self.facts(OPENED, tables)),
            made=frozenset((state, fact[0]) for state in states for fact in self.facts(state, tables)),
        )

    def shut(self, receptacle: int, situation: Situation) -> bool:
        """Whether a receptacle must be opened before it can be looked into or used."""
        return receptacle in self.openable and receptacle not in situation.opened

    def accepts(self, thing: int) -> frozenset[int]:
        """Receptacles that ``thing`` may be put in or on."""
        return self.accepting.get(self.kinds.get(thing, -1), frozenset())

    def _pairs(self, predicate: str) -> Iterable[tuple[int, int]]:
        return [(fact[0], fact[1]) for fact in self.facts(predicate, self.game.tables)]

    def _by_kind(self) -> set[int]:
        return set(self.kinds.values())

    def _makers(self, action: str) -> tuple[str, frozenset[int]]:
        """What a thing must be for ``action``, and the receptacles that do it."""
        schema = self.game.rules.domain.schemas[action]
        numbers = self.game.problem.numbers
        able = [one.predicate for one in literals(schema.precondition) if one.predicate.endswith("able")]
        kinds = {numbers[one.args[1]] for one in literals(schema.precondition) if _is_kind(one) and one.args[1] in numbers}
        return able[0], frozenset(receptacle for receptacle in self.places if self.kinds.get(receptacle) in kinds)

    def able(self, state: str, thing: int) -> bool:
        """Whether ``thing`` can be made so."""
        return any(fact[0] == thing for fact in self.facts(self.makers[state][0], self.game.tables))


def _is_kind(literal: Literal) -> bool:
    return literal.predicate == "receptacletype" and len(literal.args) == 2


def _facts(path: Path, table: Table) -> Iterable[Fact]:
    order = (*path.known, *path.other)
    back = [order.index(place) for place in range(len(order))]
    for key, values in table.items():
        known: Any = (key,) if len(path.known) == 1 else key
        entries: Any = values if path.other else ((),)
        for value in entries:
            other: Any = (value,) if len(path.other) == 1 else value
            fact = (*known, *other)
            yield tuple(fact[place] for place in back)
