"""Where things are: the engine's object tree, read for one purpose, finding a thing by the name an action gives it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from services.sciworld.house import ROOMS

_PLACE: Final = re.compile(r" (?:in|on|inside) .*$")


@dataclass(frozen=True, slots=True)
class Place:
    """A thing's name, room, what it is in (outermost first), which of that is closed; is it carried, does it live."""

    name: str
    room: str
    inside: tuple[str, ...]
    closed: tuple[str, ...]
    carried: bool
    alive: bool = False


class Contents:
    """Every thing and its place."""

    def __init__(self, places: list[Place]) -> None:
        self._places = places

    @classmethod
    def read(cls, tree: str) -> Contents:
        """Parse :meth:`Simulator.object_tree`."""
        places: list[Place] = []

        def descend(node: dict[str, Any], room: str, inside: tuple[str, ...], closed: tuple[str, ...]) -> None:
            name = str(node["name"])
            if name in ROOMS:
                room = name
            elif room:
                life: dict[str, Any] = node.get("propLife") or {}
                places.append(Place(name, room, inside, closed, "inventory" in inside, life.get("isDead") is False))
                inside = (*inside, name)
                box: dict[str, Any] = node.get("propContainer") or {}
                if box.get("isClosable") is True and box.get("isOpen") is False:
                    closed = (*closed, name)
            for child in node["contents"].values():
                descend(child, room, inside, closed)

        descend(json.loads(tree), "", (), ())
        return cls(places)

    def find(self, name: str, near: str) -> Place | None:
        """The thing an action calls ``name``; what is carried comes first, then what is in room ``near``.

        Actions say more than a thing's name: where it is ("metal pot in inventory"), what is in it ("cup containing
        red paint"), how old it is ("adult cherry tree").
        """
        core, _, filling = _PLACE.sub("", name).partition(" containing ")
        found = [place for place in self._places if place.name == core]
        if filling:
            holders = {place.inside for place in self._places if place.inside and place.name in filling.split(" and ")}
            found = [place for place in self._places if (*place.inside, place.name) in holders and place.name.endswith(core)]
        if not found:
            named = [place for place in self._places if re.search(rf"\b{re.escape(place.name)}\b", core)]
            longest = max((len(place.name) for place in named), default=0)
            found = [place for place in named if len(place.name) == longest]
        return min(found, key=lambda place: (not place.carried, place.room != near, len(place.closed)), default=None)

    def living(self, room: str) -> list[Place]:
        """Living things at hand in ``room``, by name, one of each."""
        found = {place.name: place for place in self._places if place.alive and place.room == room and not place.closed}
        return [found[name] for name in sorted(found)]
