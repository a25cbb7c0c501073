"""The ScienceWorld server: the framework around :class:`SciWorld`."""

from __future__ import annotations

from services.envserver.serve import run
from services.sciworld.environment import SciWorld
from shared.settings import EnvironmentSettings


def main(settings: EnvironmentSettings) -> int:
    """Serve until SIGTERM; returns the exit code."""
    return run(SciWorld(workers=settings.workers), settings, service_name="sciworld")
