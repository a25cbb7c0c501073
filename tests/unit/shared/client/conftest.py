from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from services.envserver.app import create_app
from shared.client import EnvironmentClient, RetryPolicy
from shared.settings import EnvironmentSettings
from tests.support.cellar import Cellar
from tests.support.live import live
from tests.support.process import CellarProcess

Serve = Callable[..., AbstractAsyncContextManager[str]]
QUICK = RetryPolicy(patience=30.0, first_contact=5.0, base=0.01, cap=0.05)


@pytest.fixture
def cellar() -> Cellar:
    return Cellar()


@pytest.fixture
def serve(cellar: Cellar) -> Serve:
    """``async with serve(expert=True) as url``: the cellar behind a real socket, settings by keyword."""

    @asynccontextmanager
    async def serving(of: Cellar | None = None, **settings: object) -> AsyncGenerator[str]:
        async with live(create_app(of or cellar, EnvironmentSettings.model_validate(settings))) as url:
            yield url

    return serving


@pytest.fixture
async def client(serve: Serve) -> AsyncGenerator[EnvironmentClient]:
    async with serve(expert=True) as url, EnvironmentClient(url, retry=QUICK) as client:
        yield client


@pytest.fixture(scope="module")
def server() -> Iterator[CellarProcess]:
    """A server in a process of its own, for code without an event loop."""
    with CellarProcess(expert=True) as process:
        yield process
