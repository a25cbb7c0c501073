from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from services.envserver.app import create_app
from shared.client import EnvironmentClient
from shared.settings import EnvironmentSettings
from shared.store import TrajectoryStore
from tests.support.corridor import CorridorWorld
from tests.support.live import live


@pytest.fixture
def store(tmp_path: Path) -> Generator[TrajectoryStore]:
    with TrajectoryStore(tmp_path / "store.db") as opened:
        yield opened


@pytest.fixture
async def corridor() -> AsyncGenerator[EnvironmentClient]:
    """A client of the corridor, served by the framework with its expert on."""
    async with live(create_app(CorridorWorld(), EnvironmentSettings(expert=True))) as url, EnvironmentClient(url) as client:
        yield client
