"""Generated shops, each opened once: a small one, and the one that comes with restep."""

from __future__ import annotations

import pytest

from services.webshop.generate import generate_rows
from services.webshop.library import open_stock
from services.webshop.world import World
from tests.support.webshop import open_world


@pytest.fixture(scope="session")
def world() -> World:
    return open_world(generate_rows(120, 5))


@pytest.fixture(scope="session")
def embedded() -> World:
    return World(open_stock(None))
