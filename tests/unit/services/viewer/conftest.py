from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from services.viewer.app import create_app
from services.viewer.settings import ViewerSettings
from tests.support.runs import make_run, make_wicked_run

Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]
BROWSER = {"accept": "text/html,application/xhtml+xml"}


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run and a wicked one; tests only read it."""
    folder = tmp_path_factory.mktemp("runs")
    make_run(folder)
    make_wicked_run(folder)
    return folder


@pytest.fixture
def serve(runs: Path) -> Serve:
    """``async with serve(prefix="/viewer") as client``: the application in this process, settings by keyword."""

    @asynccontextmanager
    async def serving(**settings: object) -> AsyncGenerator[httpx.AsyncClient]:
        app = create_app(ViewerSettings.model_validate({"runs": runs, **settings}))
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://viewer", headers=BROWSER) as client,
        ):
            yield client

    return serving
