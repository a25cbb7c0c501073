"""A sentence for an expert's next action that names what it is for: true of the state, and of what was seen."""

from __future__ import annotations

from collections.abc import Sequence

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
    article = "another" if wanted & seen.things else "an" if kind[0] in "aeiou" else "a"
    missing = f"{article} {kind}"
    if name == OPEN:
        return f"The {place} is closed; there may be {missing} in it."
    return f"I still have to find {missing}; I will look at the {place}."


def _towards(planner: Planner, deed: Move, name: str, place: str) -> str:
    thing = _thing(planner, deed)
    if name == OPEN:
        return f"The {place} is closed, and I need it open to {'take' if deed.action.name == TAKE else 'put away'} the {thing}."
    if deed.action.name == TAKE:
        return f"I need the {thing}, which is at the {place}."
    if deed.action.name == PUT:
        return f"I will put the {thing} in or on the {place}."
    if deed.action.name == USE:
        return f"I have to turn on the {thing}, which is at the {place}."
    return f"I have to {_VERBS[deed.action.name]} the {thing} with the {place}."


def _deed(planner: Planner, move: Move) -> str:
    thing, name = _thing(planner, move), move.action.name
    if name == TAKE:
        return f"The {thing} is here and I need it."
    if name == PUT:
        return f"I put the {thing} down here."
    if name == USE:
        return f"The {thing} has to be turned on."
    return f"The task needs the {thing} after I {_VERBS[name]} it here."


def _thing(planner: Planner, move: Move) -> str:
    return _name(planner, min(_things(planner, move), default=None))


def _things(planner: Planner, move: Move) -> set[int]:
    return {one for one in move.parameters if one in planner.house.kinds and one not in planner.house.places}


def _name(planner: Planner, number: int | None) -> str:
    return planner.game.problem.names[number] if number is not None else "place"
