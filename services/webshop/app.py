"""The WebShop server: the framework around :class:`WebShop`."""

from __future__ import annotations

from services.envserver.serve import run
from services.webshop.environment import WebShop
from services.webshop.library import open_stock
from services.webshop.world import World
from shared.settings import EnvironmentSettings


def main(settings: EnvironmentSettings) -> int:
    """Serve until SIGTERM; returns the exit code."""
    return run(WebShop(lambda: World(open_stock(settings.data))), settings, service_name="webshop")
