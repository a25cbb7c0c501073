"""Where a shopper is: everything that decides what the next action does, in a value of a few hundred bytes."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Place(Enum):
    """A kind of page."""

    START = "start"
    RESULTS = "results"
    ITEM = "item"
    SECTION = "section"
    DONE = "done"


class State(NamedTuple):
    """``options`` are pairs of name and value in the order of their first choice, ``seen`` the products opened.

    ``keywords`` and ``page`` (from 1) are those of the last search, ``product`` is the number of the one that is open.
    ``seed`` decides what a search for random products finds.
    """

    place: Place = Place.START
    keywords: str = ""
    page: int = 0
    product: int = -1
    section: str = ""
    options: tuple[tuple[str, str], ...] = ()
    seen: frozenset[int] = frozenset()
    seed: int = 0
