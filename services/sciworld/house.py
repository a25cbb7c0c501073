"""The house all tasks are played in, and the shortest way from room to room.

The engine builds the same ten rooms for every task and variation, so the map is written down here (a test walks it
in the engine); which doors are open is read from what a look shows.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

ROOMS: Final[dict[str, tuple[str, ...]]] = {
    "hallway": ("art studio", "bedroom", "greenhouse", "kitchen", "living room", "workshop"),
    "kitchen": ("bathroom", "hallway", "outside"),
    "greenhouse": ("hallway", "outside"),
    "outside": ("foundry", "greenhouse", "kitchen"),
    "art studio": ("hallway",),
    "bathroom": ("kitchen",),
    "bedroom": ("hallway",),
    "foundry": ("outside",),
    "living room": ("hallway",),
    "workshop": ("hallway",),
}
"""Room to the rooms behind its doors."""

_ROOM = re.compile(r"This (?:room|outside location) is called the (.+?)\. ")
_DOOR = re.compile(r"A door to the (.+?) \(that is (open|closed)\)")
Doors = dict[frozenset[str], bool]
"""The two rooms a door joins, to whether it was open when last seen."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a look shows: the room, its doors (place behind to open), and the whole text."""

    room: str
    doors: Mapping[str, bool]
    text: str

    @classmethod
    def read(cls, look: str) -> Surroundings:
        """Parse the engine's reply to "look around"."""
        room = _ROOM.match(look)
        doors = {place: state == "open" for place, state in _DOOR.findall(look)}
        return cls(room.group(1) if room else "", doors, look)


def route(start: str, goal: str, doors: Doors, *, teleport: bool = False) -> list[str]:
    """Actions that lead from ``start`` to ``goal``, doors not known to be open opened on the way; fewest actions.

    Empty when ``start`` is ``goal`` or either is no room of the house.
    """
    if start == goal or goal not in ROOMS or start not in ROOMS:
        return []
    if teleport:
        return [f"teleport to {goal}"]
    queue: list[tuple[int, int, str, list[str]]] = [(0, 0, start, [])]
    settled: set[str] = set()
    pushed = 0
    while queue:
        cost, _, room, actions = heapq.heappop(queue)
        if room == goal:
            return actions
        if room in settled:
            continue
        settled.add(room)
        for place in ROOMS[room]:
            opening = [] if doors.get(frozenset((room, place))) else [f"open door to {place}"]
            pushed += 1
            heapq.heappush(queue, (cost + 1 + len(opening), pushed, place, [*actions, *opening, f"go to {place}"]))
    return []
