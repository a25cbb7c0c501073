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
    """A thing's name, room, the closed containers around it (outermost first), and whether the agent carries it."""

    name: str
    room: str
    closed: tuple[str, ...]
    carried: bool


class Contents:
    """Every thing and its place."""

    def __init__(self, places: list[Place]) -> None:
        self._places = places

    @classmethod
    def read(cls, tree: str) -> Contents:
        """Parse :meth:`Simulator.object_tree`."""
        places: list[Place] = []

        def descend(node: dict[str, Any], room: str, closed: tuple[str, ...], carried: bool) -> None:
            name = str(node["name"])
            inside = name if name in ROOMS else room
            if inside and name not in ROOMS:
                places.append(Place(name, inside, closed, carried))
            box: dict[str, Any] = node.get("propContainer") or {}
            shut = box.get("isClosable") is True and box.get("isOpen") is False
            for child in node["contents"].values():
                descend(child, inside, (*closed, name) if shut else closed, carried or name == "inventory")

        descend(json.loads(tree), "", (), False)
        return cls(places)

    def find(self, name: str, near: str) -> Place | None:
        """The thing an action calls ``name`` ("metal pot in inventory" is a metal pot); one in room ``near`` first."""
        core = _PLACE.sub("", name).removeprefix("door to ")
        found = [place for place in self._places if place.name == core]
        return min(found, key=lambda place: (not place.carried, place.room != near, len(place.closed)), default=None)
