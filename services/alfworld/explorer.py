"""The explorer expert: it knows only what its episode has shown, and searches sensible places first.

What it does can be imitated by an agent that reads the same observations; the planner's ways cannot, they go to what
was never seen. Once it has seen what it needs, it goes the shortest way that uses nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from services.alfworld.aim import Aim, Bring, Estimate
from services.alfworld.game import Move
from services.alfworld.house import GO, OPEN, TAKE, Situation
from services.alfworld.planner import Planner
from services.alfworld.tables import Tables

EXAMINE: Final = "examinereceptacle"
LONGEST: Final = 300
"""Moves after which a search is given up; going to every receptacle of a house and opening it takes about a hundred."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What an episode has shown: receptacles been at, those whose content was seen, and things."""

    visited: frozenset[int] = frozenset()
    inside: frozenset[int] = frozenset()
    things: frozenset[int] = frozenset()


class Explorer:
    """Ways to the goal in one game, for one who has seen this much."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner
        self._house = planner.house

    def everything(self) -> Seen:
        """What one has seen who has seen it all."""
        places = frozenset(self._house.places)
        return Seen(places, places, frozenset(self._house.kinds) - places)

    def saw(self, seen: Seen, move: Move, tables: Tables) -> Seen:
        """What is known when ``move`` has led to ``tables``."""
        name = move.action.name
        if name == TAKE:
            return Seen(seen.visited, seen.inside, seen.things | set(move.parameters) & self._house.liftable)
        receptacle = self.target(move)
        if receptacle is None:
            return seen
        situation = self._house.situation(tables)
        visited = seen.visited | {receptacle}
        if self._house.shut(receptacle, situation):
            return Seen(visited, seen.inside, seen.things)
        content = {thing for thing, places in situation.where.items() if receptacle in places}
        return Seen(visited, seen.inside | {receptacle}, seen.things | content)

    def target(self, move: Move) -> int | None:
        """The receptacle that a move goes to, opens or examines; None for other moves."""
        if move.action.name not in (GO, OPEN, EXAMINE):
            return None
        return next((one for one in reversed(move.parameters) if one in self._house.places), None)

    def known_way(self, tables: Tables, seen: Seen) -> list[Move] | None:
        """A shortest way to the goal by what was seen; None where something needed was not."""
        return self._planner.plan(tables, Estimate(self._house, self._planner.aim, seen.things))

    def way(self, tables: Tables, seen: Seen) -> list[Move] | None:
        """All it will do from here to the goal; None where it finds none."""
        moves: list[Move] = []
        while len(moves) < LONGEST:
            if self._planner.game.won(tables):
                return moves
            ahead = self.known_way(tables, seen) or self._part(tables, seen) or self._search(tables, seen)
            if not ahead:
                return None
            for move in ahead:
                tables = self._planner.game.after(tables, move)
                seen = self.saw(seen, move, tables)
                moves.append(move)
        return None

    def _part(self, tables: Tables, seen: Seen) -> list[Move] | None:
        """A way to bring one thing more, where several are wanted and one is known."""
        aim = self._planner.aim
        if not isinstance(aim, Bring) or aim.count == 1:
            return None
        for count in range(aim.count - 1, 0, -1):
            part: Aim = Bring(aim.things, aim.receptacles, count, aim.states)
            way = self._planner.plan(tables, Estimate(self._house, part, seen.things))
            if way is not None:
                return way or None
        return None

    def _search(self, tables: Tables, seen: Seen) -> list[Move] | None:
        """The next move towards what was not seen yet; None when everything was."""
        situation = self._house.situation(tables)
        unseen = [receptacle for receptacle in self._house.places if receptacle not in seen.inside]
        if not unseen:
            return None
        receptacle = min(unseen, key=lambda one: self._order(one, situation, seen))
        if self._house.places[receptacle] != situation.here:
            return self._move(tables, GO, receptacle)
        return self._move(tables, OPEN if self._house.shut(receptacle, situation) else EXAMINE, receptacle)

    def _order(self, receptacle: int, situation: Situation, seen: Seen) -> tuple[bool, bool, bool, int]:
        """What is here comes first, then what may hold the thing, then what need not be opened."""
        wanted = [thing for thing in self.wanted(seen) if thing not in seen.things]
        fitting = any(receptacle in self._house.accepts(thing) for thing in wanted)
        away = self._house.places[receptacle] != situation.here
        return away, not fitting, receptacle in self._house.openable, -receptacle

    def wanted(self, seen: Seen) -> frozenset[int]:
        """Things of the kind that is to be found next."""
        aim = self._planner.aim
        if isinstance(aim, Bring) or not aim.things & seen.things:
            return aim.things
        return aim.lamps

    def _move(self, tables: Tables, action: str, receptacle: int) -> list[Move] | None:
        moves = self._planner.game.moves(tables, self._house.actions[action])
        return [move for move in moves if self.target(move) == receptacle][:1] or None
