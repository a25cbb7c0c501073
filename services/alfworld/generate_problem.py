"""A generated game written as the benchmark writes its own: one PDDL problem for the ``alfred`` domain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from services.alfworld.generate_rooms import (
    CLEANABLE,
    CONTAINERS,
    COOLABLE,
    FITS,
    FIXED,
    HEATABLE,
    SLICEABLE,
    TOGGLEABLE,
)
from services.alfworld.generate_scene import Scene, Thing
from services.alfworld.generate_task import LOOK, TREATMENTS, TWO, Goal

START: Final = "loc_bar_0"
"""Where the agent begins: the middle of the room, no receptacle there."""

_NAMED_THINGS: Final = frozenset({"ButterKnife", "Knife"})
_NAMED_PIECES: Final = frozenset({"Fridge", "Microwave", "SinkBasin"})
"""Types that the domain speaks of: they are declared whether or not the room has one."""

_ABILITIES: Final = (
    ("isReceptacleObject", CONTAINERS),
    ("cleanable", CLEANABLE),
    ("heatable", HEATABLE),
    ("coolable", COOLABLE),
    ("toggleable", TOGGLEABLE),
    ("sliceable", SLICEABLE),
)


def write_problem(name: str, scene: Scene, things: Sequence[Thing], goal: Goal) -> str:
    """The PDDL problem ``name``."""
    lines = [
        f"(define (problem {name})",
        "(:domain alfred)",
        "(:objects",
        *_declarations(scene, things, goal),
        ")",
        "(:init",
        *_facts(scene, things),
        ")",
        *_goal(goal),
        ")",
    ]
    return "\n".join(lines) + "\n"


def _declarations(scene: Scene, things: Sequence[Thing], goal: Goal) -> Iterator[str]:
    yield "agent1 - agent"
    for name in sorted({thing.type for thing in things} | {goal.thing} | _NAMED_THINGS):
        yield f"{name}Type - otype"
    for name in sorted(scene.piece_types | _NAMED_PIECES):
        yield f"{name}Type - rtype"
    for thing in things:
        yield f"{thing.id} - object"
    for piece in scene.pieces:
        yield f"{piece.id} - receptacle"
    yield f"{START} - location"
    for location in sorted({piece.location for piece in scene.pieces}):
        yield f"{location} - location"


def _facts(scene: Scene, things: Sequence[Thing]) -> Iterator[str]:
    for piece in scene.pieces:
        yield f"(receptacleType {piece.id} {piece.type}Type)"
    for thing in things:
        yield f"(objectType {thing.id} {thing.type}Type)"
    for kind in sorted(scene.piece_types):
        for name in sorted(FITS[kind] & {thing.type for thing in things}):
            yield f"(canContain {kind}Type {name}Type)"
    yield from _unary("pickupable", (thing.id for thing in things if thing.type not in FIXED))
    for ability, types in _ABILITIES:
        yield from _unary(ability, (thing.id for thing in things if thing.type in types))
    yield from _unary("openable", (piece.id for piece in scene.pieces if piece.openable))
    yield f"(atLocation agent1 {START})"
    for piece in scene.pieces:
        yield f"(receptacleAtLocation {piece.id} {piece.location})"
    for thing in things:
        yield f"(inReceptacle {thing.id} {thing.place.id})"
        yield f"(objectAtLocation {thing.id} {thing.place.location})"


def _unary(predicate: str, ids: Iterable[str]) -> Iterator[str]:
    return (f"({predicate} {one})" for one in ids)


def _goal(goal: Goal) -> list[str]:
    thing, target = f"{goal.thing}Type", f"{goal.target}Type"
    if goal.type == LOOK:
        lamp = (
            f"(exists (?ot - object ?r - receptacle ?a - agent ?l - location) (and (objectType ?ot {target}) (toggleable ?ot)"
            " (isToggled ?ot) (receptacleAtLocation ?r ?l) (atLocation ?a ?l) (inReceptacle ?ot ?r)))"
        )
        held = f"(exists (?o - object ?a - agent) (and (objectType ?o {thing}) (holds ?a ?o)))"
        return ["(:goal (and", lamp, held, "))"]
    if goal.type == TWO:
        second = (
            f"(exists (?o2 - object) (and (not (= ?o1 ?o2)) (objectType ?o2 {thing}) (receptacleType ?r {target})"
            " (inReceptacle ?o2 ?r)))"
        )
        first = f"(and (objectType ?o1 {thing}) (receptacleType ?r {target}) (inReceptacle ?o1 ?r) {second})"
        return ["(:goal (and", f"(exists (?r - receptacle) (exists (?o1 - object) {first}))", "))"]
    treatment = TREATMENTS.get(goal.type)
    treated = "" if treatment is None else f"({treatment.ability} ?o) ({treatment.state} ?o) "
    put = f"(and {treated}(objectType ?o {thing}) (receptacleType ?r {target}) (inReceptacle ?o ?r))"
    return ["(:goal (and", f"(exists (?r - receptacle) (exists (?o - object) {put}))", "))"]
