"""The WebShop server: the framework around :class:`WebShop`, and what it offers to people."""

from __future__ import annotations

from services.envserver.serve import run
from services.webshop.environment import WebShop
from services.webshop.library import open_stock
from services.webshop.routes.page import page_router
from services.webshop.routes.reward import reward_router
from services.webshop.world import World
from shared.settings import EnvironmentSettings


def main(settings: EnvironmentSettings) -> int:
    """Serve until SIGTERM; returns the exit code."""
    shop = WebShop(lambda: World(open_stock(settings.data)))
    return run(shop, settings, service_name="webshop", routers=[reward_router(shop)], public=[page_router()])
