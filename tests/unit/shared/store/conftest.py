"""Stores for the tests of the store: each test runs on SQLite and on a real PostgreSQL server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import pytest

from shared.store import TrajectoryStore


@pytest.fixture
def store(place: str) -> Iterator[TrajectoryStore]:
    with TrajectoryStore(place) as opened:
        yield opened


@pytest.fixture(scope="module")
def open_empty(new_place: Callable[[], str]) -> Callable[[], TrajectoryStore]:
    """Opens a part of a store that holds nothing yet, for every example of hypothesis another one."""
    place, numbers = new_place(), count()
    return lambda: TrajectoryStore(place, namespace=str(next(numbers)))
