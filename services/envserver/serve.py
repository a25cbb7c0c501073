"""Run an environment server as a process: ``sys.exit(run(environment, settings))`` is all a benchmark's app needs."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import sys
from collections.abc import Sequence

from fastapi import APIRouter, FastAPI

from services.envserver.app import create_app
from services.envserver.service import Service
from shared.environment import Environment
from shared.errors import RestepError
from shared.serving import bind, new_event_loop, serve
from shared.settings import EnvironmentSettings
from shared.telemetry import configure_logging

log = logging.getLogger(__name__)


def run(
    environment: Environment,
    settings: EnvironmentSettings,
    *,
    service_name: str = "environment",
    routers: Sequence[APIRouter] = (),
    public: Sequence[APIRouter] = (),
) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code. ``routers`` and ``public`` are those of :func:`create_app`.

    0 after a graceful end; 1, with one line on standard error, when the port is in use, data is missing, or the
    environment cannot start. The chosen port is announced by :func:`shared.serving.announce`.
    """
    configure_logging(settings.log_level)
    try:
        app = create_app(environment, settings, routers=routers, public=public, wait=False)
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(_serve(app, settings, service_name))
    except RestepError as error:
        sys.stderr.write(f"restep: {error}\n")
        return 1
    return 0


async def _serve(app: FastAPI, settings: EnvironmentSettings, service_name: str) -> None:
    service: Service = app.state.service

    async def ready() -> None:
        await service.started()
        _calm_collector()

    with contextlib.closing(bind(settings.host, settings.port)) as listener:
        await serve(
            app, listener, service=service_name, ready=ready, drain=service.drain, trusted_proxies=settings.trusted_proxies
        )


def _calm_collector() -> None:
    """Let the cycle collector look at fewer objects, and less often.

    Records of steps are many and hold no cycles; with Python's defaults going through them all took half of the
    CPU of a batch of 256 inline steps and pauses of over half a second (benchmarks/envserver.py).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
