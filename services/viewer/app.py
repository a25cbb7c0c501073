"""The application of the viewer, assembled, and the process that runs it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from functools import partial

from fastapi import FastAPI

from services.http.assembly import assemble
from services.viewer.layers import ProblemPages, SafeHeaders
from services.viewer.login import Login
from services.viewer.metrics import Metrics
from services.viewer.pages import Pages
from services.viewer.routes import api, compare, entry, episodes, runs
from services.viewer.service import ViewerService
from services.viewer.settings import ViewerSettings
from shared.errors import RestepError
from shared.serving import bind, new_event_loop, serve
from shared.telemetry import configure_logging


def create_app(settings: ViewerSettings, *, wait: bool = True) -> FastAPI:
    """A viewer over the runs of the settings. Raises ``data_not_found`` for a token file that is not there."""
    tokens = settings.tokens()
    login = None if tokens is None else Login(tokens)
    pages = Pages(settings.prefix, login=login is not None)
    service = ViewerService(settings)
    app = assemble(
        service,
        Metrics(service),
        (runs.router, episodes.router, compare.router, api.router),
        (),
        title="restep viewer",
        description="Runs, their progress and their trajectories, for people; the same as JSON below /api.",
        tokens=tokens,
        wait=wait,
        plain_names=True,
        public=(entry.router,),
        also=None if login is None else login.allows,
        translators=(partial(ProblemPages, pages=pages), SafeHeaders),
        docs=False,
    )
    app.state.pages = pages
    app.state.login = login
    return app


def main(settings: ViewerSettings) -> int:
    """Serve until SIGTERM; returns the exit code: 0 after a graceful end, 1 with one line on standard error otherwise."""
    configure_logging(settings.log_level)
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(_serve(settings))
    except RestepError as error:
        sys.stderr.write(f"restep: {error}\n")
        return 1
    return 0


async def _serve(settings: ViewerSettings) -> None:
    app = create_app(settings, wait=False)
    service: ViewerService = app.state.service
    with contextlib.closing(bind(settings.host, settings.port)) as listener:
        await serve(
            app,
            listener,
            service="viewer",
            ready=service.started,
            drain=service.drain,
            trusted_proxies=settings.trusted_proxies,
        )
