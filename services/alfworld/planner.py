"""The planner expert: a shortest way to the goal from any state, searched on the engine itself.

It knows everything, seen or not. What it answers has been played, so it is a way by construction.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable
from typing import Final

from services.alfworld.aim import Aim, Bring, Estimate, aim_of
from services.alfworld.game import Game, Move
from services.alfworld.house import GO, OPEN, PUT, STATES, TAKE, USE, House, Situation
from services.alfworld.tables import Tables
from shared.errors import RestepError

BUDGET: Final = 5_000
"""States looked at before a search is given up: it takes a dozen in the benchmark's games, some hundreds at worst."""


class Planner:
    """Shortest ways in one game."""

    def __init__(self, game: Game) -> None:
        """Raises ``expert_failed`` where the expert does not know the domain or the goal."""
        self.game = game
        self.house = House(game)
        self.aim: Aim = aim_of(game, self.house)
        self.estimate = Estimate(self.house, self.aim)
        states = self.aim.states if isinstance(self.aim, Bring) else ()
        self._deeds = [self.house.actions[name] for name in (OPEN, TAKE, PUT, USE, *(STATES[state] for state in states))]

    def plan(self, tables: Tables, estimate: Estimate | None = None) -> list[Move] | None:
        """The moves of a shortest way to the goal, or to where ``estimate`` is 0; None where there is no way.

        Raises ``expert_failed`` beyond the budget.
        """
        chosen = estimate or self.estimate
        first = self.house.situation(tables)
        guess = 0 if self.game.won(tables) else chosen(first)
        if guess is None:
            return None
        count = itertools.count()
        waiting: list[tuple[int, int, int, Tables, tuple[Move, ...]]] = [(guess, 0, next(count), tables, ())]
        best: dict[Situation, int] = {self._relevant(first): 0}
        for _ in range(BUDGET):
            if not waiting:
                return None
            _, _, _, here, moves = heapq.heappop(waiting)
            if self.game.won(here) or (estimate is not None and estimate(self.house.situation(here)) == 0):
                return list(moves)
            for move in self._moves(here, chosen):
                there = self.game.after(here, move)
                situation = self.house.situation(there)
                key, cost = self._relevant(situation), len(moves) + 1
                left = chosen(situation)
                if left is not None and cost < best.get(key, BUDGET):
                    best[key] = cost
                    heapq.heappush(waiting, (cost + left, -cost, next(count), there, (*moves, move)))
        raise RestepError("expert_failed", f"no way to the goal among {BUDGET} states")

    def _moves(self, tables: Tables, estimate: Estimate) -> Iterable[Move]:
        """What may lead on: going where something is to be done, and doing it."""
        situation = self.house.situation(tables)
        matter = {*estimate.things, situation.held}
        for action in self._deeds:
            for move in self.game.moves(tables, action):
                if action.name == OPEN or not matter.isdisjoint(move.parameters) or action.name == USE:
                    yield move
        targets = self._targets(situation, estimate)
        for move in self.game.moves(tables, self.house.actions[GO]):
            if move.parameters[3] in targets:
                yield move

    def _targets(self, situation: Situation, estimate: Estimate) -> set[int]:
        """Receptacles worth going to."""
        targets = {place for thing in estimate.things for place in situation.where.get(thing, ())}
        if situation.held is not None and situation.held not in estimate.things:
            targets |= self.house.accepts(situation.held)
        if isinstance(self.aim, Bring):
            targets |= self.aim.receptacles
            for state in self.aim.states:
                targets |= self.house.makers[state][1]
        else:
            targets |= {place for lamp in self.aim.lamps for place in situation.where.get(lamp, ())}
        return targets

    def _relevant(self, situation: Situation) -> Situation:
        """A situation without what makes no difference, so that equal ones are met again."""
        things = self.estimate.things
        where = frozenset((thing, place) for thing, place in situation.where.items() if thing in things)
        made = frozenset(one for one in situation.made if one[1] in things or one[0] == "istoggled")
        return Situation(situation.here, situation.held, _Pairs(where), situation.opened, made)


class _Pairs(dict[int, frozenset[int]]):
    """Where things are, as part of a key."""

    def __init__(self, pairs: frozenset[tuple[int, frozenset[int]]]) -> None:
        super().__init__(pairs)
        self._hash = hash(pairs)

    def __hash__(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self._hash
