"""The WebShop server's application in this process."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx
import pytest

from services.envserver.app import create_app
from services.webshop.environment import WebShop
from services.webshop.routes.page import page_router
from services.webshop.routes.reward import reward_router
from services.webshop.world import World
from shared.settings import EnvironmentSettings

Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def serve(world: World) -> Serve:
    """``async with serve(expert=True) as client``: settings by keyword."""

    @asynccontextmanager
    async def serving(**settings: object) -> AsyncGenerator[httpx.AsyncClient]:
        shop = WebShop(lambda: world)
        chosen = EnvironmentSettings.model_validate(settings)
        app = create_app(shop, chosen, routers=[reward_router(shop)], public=[page_router()])
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://server") as client,
        ):
            yield client

    return serving
