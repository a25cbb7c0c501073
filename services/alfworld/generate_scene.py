"""A room of a generated game: furniture that stays the same in all games of the scene, and objects laid out for one.

Everything is drawn from the scene's number and the seed alone, so a scene is the same wherever and whenever it is made.
Names are the ones the benchmark shows: it numbers the ids of a type from the greatest down, so ours count backwards.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.alfworld.generate_rooms import FITS, FIXED, OPENABLE, ROOMS, Room

LEAST: Final = 6
MOST: Final = 12
"""Receptacles of a scene."""

_BASINS: Final = {"SinkBasin": "Sink", "BathtubBasin": "Bathtub"}


@dataclass(frozen=True, slots=True)
class Piece:
    """A receptacle: its PDDL ``id``, the ``name`` that players see, and its own ``location``."""

    type: str
    id: str
    name: str
    location: str

    @property
    def openable(self) -> bool:
        """Whether it is closed at the start."""
        return self.type in OPENABLE


@dataclass(frozen=True, slots=True)
class Thing:
    """An object and the receptacle it lies in at the start."""

    type: str
    id: str
    name: str
    place: Piece


@dataclass(frozen=True, slots=True)
class Scene:
    """A furnished room. ``number`` is unique among all scenes of a seed."""

    number: int
    kind: str
    pieces: tuple[Piece, ...]

    @property
    def room(self) -> Room:
        """Its kind's table."""
        return ROOMS[self.kind]

    @property
    def piece_types(self) -> frozenset[str]:
        """Receptacle types that are there."""
        return frozenset(piece.type for piece in self.pieces)


def draw_scene(kind: str, count: int, seed: int) -> Scene:
    """The ``count``-th scene of a kind: between :data:`LEAST` and :data:`MOST` receptacles, a location each."""
    room = ROOMS[kind]
    number = room.number * 1000 + count
    dice = random.Random(f"scene {seed} {number}")
    while True:
        counts = {name: dice.randint(least, most) for name, (least, most) in room.furniture.items()}
        if LEAST <= sum(counts.values()) <= MOST:
            break
    spots = list(range(1, sum(counts.values()) + 1))
    dice.shuffle(spots)
    names = _numbered(name for name, many in counts.items() for _ in range(many))
    pieces = [
        Piece(name, _piece_id(name, index), f"{name.lower()} {shown}", f"loc_bar_{spot}")
        for (name, index, shown), spot in zip(names, spots, strict=True)
    ]
    return Scene(number, kind, tuple(pieces))


def lay_out(scene: Scene, wanted: Mapping[str, int], avoid: Mapping[str, str], dice: random.Random) -> tuple[Thing, ...]:
    """Objects in their homes: ``wanted`` of a type, others for company.

    ``avoid`` maps object types to the receptacle type that none of them may lie in. Every type in ``wanted`` must have a
    place (:func:`places`).
    """
    counts = Counter(dict(wanted))
    company = [name for name in scene.room.homes if name not in wanted and places(scene, name)]
    for name in dice.sample(company, min(len(company), dice.randint(5, 9))):
        counts[name] = 1 if name in FIXED else dice.choice((1, 1, 2))
    drawn: list[tuple[str, Piece]] = []
    for name in sorted(counts):
        kinds = [kind for kind in places(scene, name) if kind != avoid.get(name)]
        for _ in range(counts[name]):
            kind = dice.choice(kinds)
            drawn.append((name, dice.choice([piece for piece in scene.pieces if piece.type == kind])))
    names = _numbered(name for name, _ in drawn)
    return tuple(
        Thing(name, f"{name}_bar_{index:02}", f"{name.lower()} {shown}", place)
        for (name, index, shown), (_, place) in zip(names, drawn, strict=True)
    )


def places(scene: Scene, thing: str) -> Sequence[str]:
    """Receptacle types of the scene where an object may lie at the start, each once for every weight."""
    return [kind for kind in scene.room.homes.get(thing, ()) if kind in scene.piece_types]


def fitting(scene: Scene, thing: str) -> Sequence[str]:
    """Receptacle types of the scene that an object can be put into."""
    return sorted(kind for kind in scene.piece_types if thing in FITS[kind])


def _numbered(types: Iterable[str]) -> list[tuple[str, int, int]]:
    """Type, number in the id and number in the name of each, both from 1 in each type."""
    listed = list(types)
    many = Counter(listed)
    seen: Counter[str] = Counter()
    rows: list[tuple[str, int, int]] = []
    for name in listed:
        seen[name] += 1
        rows.append((name, seen[name], many[name] + 1 - seen[name]))
    return rows


def _piece_id(name: str, index: int) -> str:
    """Basins carry their type behind the number: the benchmark makes their name of both."""
    return f"{_BASINS[name]}_bar_{index:02}_bar_{name}" if name in _BASINS else f"{name}_bar_{index:02}"
