"""A generated shop, opened once."""

from __future__ import annotations

import pytest

from services.webshop.generate import generate_rows
from services.webshop.world import World
from tests.support.webshop import open_world


@pytest.fixture(scope="session")
def world() -> World:
    return open_world(generate_rows(120, 5))
