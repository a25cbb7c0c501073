"""What a goal asks for, and how many actions that takes at least.

The six task types come down to two: bring one or two things of a kind to a receptacle of a kind, maybe made clean, hot
or cool before; or hold a thing where a lamp was turned on. The estimate never says too much, so a search that follows
it finds a shortest way, and it is nearly always exact, so that search is short.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import permutations

from services.alfworld.domain import Literal
from services.alfworld.game import Game
from services.alfworld.house import HOLDS, IN, STATES, TOGGLED, House, Situation
from services.alfworld.query import conjuncts
from shared.errors import RestepError


@dataclass(frozen=True, slots=True)
class Bring:
    """``count`` of ``things`` must be in one of ``receptacles``, each made ``states`` at some time before."""

    things: frozenset[int]
    receptacles: frozenset[int]
    count: int
    states: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Light:
    """One of ``things`` must be held where one of ``lamps`` stands, turned on."""

    things: frozenset[int]
    lamps: frozenset[int]


Aim = Bring | Light


def aim_of(game: Game, house: House) -> Aim:
    """What the goal of ``game`` asks for. Raises ``expert_failed`` for a goal of another shape."""
    found = conjuncts(game.problem.goal, {}, game.rules.domain)
    if len(found) != 1 or found[0].choices:
        raise RestepError("expert_failed", "the expert does not know this kind of goal")
    facts = [literal for literal in found[0].literals if literal.positive]
    kinds = {one.args[0]: game.problem.numbers.get(one.args[1], -1) for one in facts if one.predicate.endswith("type")}
    toggled = {one.args[0] for one in facts if one.predicate == TOGGLED}
    held = {one.args[1] for one in facts if one.predicate == HOLDS}
    inside = [one for one in facts if one.predicate == IN and one.args[0] not in toggled]
    if len(toggled) == len(held) == 1 and not inside:
        return Light(_of_kind(house, kinds, held), _of_kind(house, kinds, toggled))
    things, receptacles = {one.args[0] for one in inside}, {one.args[1] for one in inside}
    if toggled or held or len(receptacles) != 1 or not things:
        raise RestepError("expert_failed", "the expert does not know this kind of goal")
    chosen = _of_kind(house, kinds, things)
    return Bring(chosen, _of_kind(house, kinds, receptacles), len(things), _states(facts, things))


def _states(facts: Iterable[Literal], things: set[str]) -> tuple[str, ...]:
    return tuple(sorted({one.predicate for one in facts if one.predicate in STATES and one.args[0] in things}))


def _of_kind(house: House, kinds: dict[str, int], variables: set[str]) -> frozenset[int]:
    wanted = {kinds.get(variable, -1) for variable in variables}
    if len(wanted) != 1:
        raise RestepError("expert_failed", "the expert does not know goals about things of several kinds")
    return frozenset(thing for thing, kind in house.kinds.items() if kind in wanted)


class Estimate:
    """How far from the aim a situation is at least; None where no way leads there."""

    def __init__(self, house: House, aim: Aim, known: frozenset[int] | None = None) -> None:
        """``known`` are the things that may be counted on, where not all may."""
        self._house = house
        self._aim = aim
        self._known = known
        states = aim.states if isinstance(aim, Bring) else ()
        able = frozenset(thing for thing in aim.things if all(house.able(state, thing) for state in states))
        self.things = able if known is None else able & known

    def __call__(self, situation: Situation) -> int | None:
        """Actions needed at least. Things that are in no receptacle and not held are out of reach."""
        aim = self._aim
        costs = self._light(situation, aim) if isinstance(aim, Light) else self._bring(situation, aim)
        return min(costs, default=None)

    def _light(self, situation: Situation, aim: Light) -> Iterable[int]:
        for _, source in self._sources(self.things, situation):
            for lamp in aim.lamps & self._known if self._known is not None else aim.lamps:
                for stand in situation.where.get(lamp, ()):
                    tour = Tour(self._house, situation)
                    tour.fetch(source)
                    tour.go(stand)
                    yield tour.cost + ((TOGGLED, lamp) not in situation.made)

    def _sources(self, things: Iterable[int], situation: Situation) -> list[tuple[int, int | None]]:
        """Things that can be had, each with every receptacle to take it from; None where it is held."""
        found: list[tuple[int, int | None]] = []
        for thing in things:
            if thing == situation.held:
                found.append((thing, None))
            elif thing in self._house.liftable:
                found += [(thing, receptacle) for receptacle in situation.where.get(thing, ())]
        return found

    def _bring(self, situation: Situation, aim: Bring) -> Iterable[int]:
        for receptacle in aim.receptacles:
            there = {t for t in self.things if receptacle in situation.where.get(t, ()) and self._ready(t, situation, aim)}
            missing = aim.count - len(there)
            if missing <= 0:
                yield 0
                continue
            rest = [one for one in self._sources(self.things - there, situation) if self._fits(one, receptacle, situation)]
            for order in permutations(rest, missing):
                if len({thing for thing, _ in order}) == missing:
                    yield self._tour(order, receptacle, situation, aim)

    def _ready(self, thing: int, situation: Situation, aim: Bring) -> bool:
        return all((state, thing) in situation.made for state in aim.states)

    def _fits(self, source: tuple[int, int | None], receptacle: int, situation: Situation) -> bool:
        return receptacle in self._house.accepts(source[0]) or self._stays(source, receptacle, situation)

    def _stays(self, source: tuple[int, int | None], receptacle: int, situation: Situation) -> bool:
        """Whether a thing is in ``receptacle`` even when it was taken from its source."""
        thing, taken = source
        return receptacle in situation.where.get(thing, ()) and receptacle != taken

    def _tour(self, order: tuple[tuple[int, int | None], ...], receptacle: int, situation: Situation, aim: Bring) -> int:
        tour = Tour(self._house, situation)
        for thing, source in order:
            tour.fetch(source)
            for state in aim.states:
                if (state, thing) not in situation.made:
                    tour.make(state)
            if self._stays((thing, source), receptacle, situation):
                tour.keep()
            else:
                tour.put(receptacle)
        return tour.cost


class Tour:
    """The cost of doing one thing after the other, each in the quickest way there could be."""

    def __init__(self, house: House, situation: Situation) -> None:
        self._house = house
        self._situation = situation
        self._here = situation.here
        self._holding = situation.held is not None
        self._busy = False
        self._opened: set[int] = set()
        self.cost = 0

    def fetch(self, source: int | None) -> None:
        """Have a thing in hand: one from ``source``, or the one that is held at the beginning."""
        if source is None:
            if self._busy or not self._holding:
                self._holding = self._busy = True
                self.cost += 1  # it had to be put down, and is taken again
            return
        if self._holding:
            self.cost += 1  # put down what is held, at best on the way
        self.go(source)
        self._open(source)
        self.cost += 1
        self._holding = self._busy = True

    def keep(self) -> None:
        """Be done with what is held, and hold it on."""
        self._busy = True

    def make(self, state: str) -> None:
        """Clean, heat or cool what is held, at the nearest receptacle that does it."""
        makers = self._house.makers[state][1]
        here = [maker for maker in makers if self._house.places[maker] == self._here]
        self.cost += 1
        if not here and self._here != -1:
            self.cost += 1
            self._here = self._house.places[min(makers)] if len(makers) == 1 else -1

    def put(self, receptacle: int) -> None:
        """Put what is held where it belongs."""
        self.go(receptacle)
        self._open(receptacle)
        self.cost += 1
        self._holding = False
        self._busy = True

    def go(self, receptacle: int) -> None:
        """Be where ``receptacle`` is."""
        place = self._house.places[receptacle]
        if self._here == -1:  # somewhere among several places: maybe here
            self._here = place
        elif place != self._here:
            self._here = place
            self.cost += 1

    def _open(self, receptacle: int) -> None:
        if receptacle not in self._opened and self._house.shut(receptacle, self._situation):
            self._opened.add(receptacle)
            self.cost += 1
