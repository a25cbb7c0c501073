"""The ALFWorld server: the framework around :class:`AlfWorld`."""

from __future__ import annotations

from services.alfworld.direct import DirectEngine
from services.alfworld.engine import Engine
from services.alfworld.environment import AlfWorld
from services.alfworld.library import open_library
from services.alfworld.settings import AlfWorldSettings
from services.envserver.serve import run
from shared.settings import EnvironmentSettings


def main(settings: EnvironmentSettings) -> int:
    """Serve until SIGTERM; returns the exit code."""
    chosen = settings if isinstance(settings, AlfWorldSettings) else AlfWorldSettings(**settings.model_dump())
    environment = AlfWorld(lambda: open_library(chosen.data), make_engine(chosen))
    return run(environment, chosen, service_name="alfworld")


def make_engine(settings: AlfWorldSettings) -> Engine:
    """The engine that ``settings`` choose; the original's needs its extra only when chosen."""
    if settings.engine == "direct":
        return DirectEngine()
    from services.alfworld.original import TextWorldEngine

    return TextWorldEngine(settings.workers, settings.textworld_python)
