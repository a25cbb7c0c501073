"""How full a server is, between two of its own reports: what it said, and what this client began and ended there since."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(slots=True)
class Load:
    """Of one server. ``capacity`` and ``held`` are its last report, ``own`` is what this client has open there."""

    capacity: int = 0
    held: int = 0
    own: int = 0
    _own_then: int = 0

    def report(self, capacity: int, held: int) -> None:
        """Take the server's word; what this client has open there is in it."""
        self.capacity, self.held, self._own_then = capacity, held, self.own

    def fill(self) -> None:
        """It has refused one more: it is full until it reports again."""
        self.held, self._own_then = max(self.held, self.capacity), self.own

    @property
    def expected(self) -> int:
        """What it should hold now."""
        return max(0, self.held + self.own - self._own_then)

    @property
    def full(self) -> bool:
        """Whether it should have no room."""
        return 0 < self.capacity <= self.expected

    @property
    def share(self) -> float:
        """Of its capacity, with one more than now; a server that tells of none counts as having room for one."""
        return (self.expected + 1) / max(1, self.capacity)


def least_loaded(loads: Sequence[Load]) -> int:
    """The index of the server that one more fills least; by chance where several are alike, so that clients spread."""
    least = min(load.share for load in loads)
    return random.choice([index for index, load in enumerate(loads) if load.share == least])
