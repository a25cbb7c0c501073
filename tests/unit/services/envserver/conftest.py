from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx
import pytest

from services.envserver.app import create_app
from services.envserver.service import Service
from shared.settings import EnvironmentSettings
from tests.support.cellar import Cellar

Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


class Clock:
    """Time that passes when a test says so; in seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cellar() -> Cellar:
    return Cellar()


@pytest.fixture
async def service(cellar: Cellar, clock: Clock) -> AsyncGenerator[Service]:
    service = Service(cellar, EnvironmentSettings(capacity=4, queue=8, lease_seconds=60, expert=True), clock)
    service.begin()
    await service.started()
    yield service
    if cellar.gate is not None:
        cellar.gate.set()
    await service.stop()


@pytest.fixture
def serve(cellar: Cellar) -> Serve:
    """``async with serve(expert=True) as client``: the application in this process, settings by keyword."""

    @asynccontextmanager
    async def serving(**settings: object) -> AsyncGenerator[httpx.AsyncClient]:
        app = create_app(cellar, EnvironmentSettings.model_validate(settings))
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://server") as client,
        ):
            yield client

    return serving
