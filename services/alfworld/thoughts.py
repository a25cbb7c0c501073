"""A sentence for an expert's next action that names what it is for: true of the state, and of what was seen."""

from __future__ import annotations

from collections.abc import Sequence

from services.alfworld import sentences
from services.alfworld.explorer import EXAMINE, Explorer, Seen
from services.alfworld.game import Move
from services.alfworld.house import GO, OPEN, PUT, STATES, TAKE, USE
from services.alfworld.planner import Planner

_VERBS = {"cleanobject": "clean", "heatobject": "heat", "coolobject": "cool"}


def thought(planner: Planner, explorer: Explorer, seen: Seen, moves: Sequence[Move]) -> str:
    """What the first of ``moves`` is for; empty where there is none. ``seen`` is what may be spoken of."""
    if not moves:
        return ""
    move = moves[0]
    name = move.action.name
    if name in (GO, OPEN, EXAMINE):
        receptacle = explorer.target(move)
        place = _name(planner, receptacle)
        deed = next((one for one in moves if one.action.name in (TAKE, PUT, USE, *STATES.values())), None)
        unseen = deed is not None and deed.action.name == TAKE and not _things(planner, deed) <= seen.things
        if deed is None or unseen or _searching(explorer, deed, moves, receptacle):
            return _search(planner, explorer, seen, name, place)
        return _towards(planner, deed, name, place)
    return _deed(planner, move)


def _searching(explorer: Explorer, deed: Move, moves: Sequence[Move], receptacle: int | None) -> bool:
    """Whether the way leads elsewhere before the deed: then the receptacle is only looked into."""
    before = moves[: list(moves).index(deed)]
    return any(explorer.target(move) != receptacle for move in before)


def _search(planner: Planner, explorer: Explorer, seen: Seen, name: str, place: str) -> str:
    wanted = explorer.wanted(seen)
    kinds = list(planner.game.problem.numbers)
    kind = next((kinds[planner.house.kinds[thing]].removesuffix("type") for thing in sorted(wanted)), "thing")
    return sentences.search(kind, place, closed=name == OPEN, another=bool(wanted & seen.things))


def _towards(planner: Planner, deed: Move, name: str, place: str) -> str:
    thing, closed = _thing(planner, deed), name == OPEN
    if deed.action.name == TAKE:
        return sentences.fetch(thing, place, closed=closed)
    if deed.action.name == PUT or closed:
        return sentences.bring(thing, place, closed=closed)
    if deed.action.name == USE:
        return sentences.approach_lamp(thing, place)
    return sentences.approach(_VERBS[deed.action.name], thing, place)


def _deed(planner: Planner, move: Move) -> str:
    thing, name = _thing(planner, move), move.action.name
    place = _name(planner, next((one for one in move.parameters if one in planner.house.places), None))
    if name == TAKE:
        return sentences.take(thing)
    if name == PUT:
        return sentences.put(thing, place)
    if name == USE:
        return sentences.turn_on(thing)
    return sentences.make(_VERBS[name], thing, place)


def _thing(planner: Planner, move: Move) -> str:
    return _name(planner, min(_things(planner, move), default=None))


def _things(planner: Planner, move: Move) -> set[int]:
    return {one for one in move.parameters if one in planner.house.kinds and one not in planner.house.places}


def _name(planner: Planner, number: int | None) -> str:
    return planner.game.problem.names[number] if number is not None else "place"
