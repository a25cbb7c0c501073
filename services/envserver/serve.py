"""Run an environment server as a process: ``sys.exit(run(environment, settings))`` is all a benchmark's app needs."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import sys

from services.envserver.app import create_app
from services.envserver.service import Service
from shared.environment import Environment
from shared.errors import RestepError
from shared.serving import bind, new_event_loop, serve
from shared.settings import EnvironmentSettings
from shared.telemetry import configure_logging

log = logging.getLogger(__name__)


def run(environment: Environment, settings: EnvironmentSettings, *, service_name: str = "environment") -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code.

    0 after a graceful end; 1, with one line on standard error, when the port is in use, data is missing, or the
    environment cannot start. The chosen port is announced by :func:`shared.serving.announce`.
    """
    configure_logging(settings.log_level)
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(_serve(environment, settings, service_name))
    except RestepError as error:
        sys.stderr.write(f"restep: {error}\n")
        return 1
    return 0


async def _serve(environment: Environment, settings: EnvironmentSettings, service_name: str) -> None:
    app = create_app(environment, settings, wait=False)
    service: Service = app.state.service

    async def ready() -> None:
        await service.started()
        _calm_collector()

    with contextlib.closing(bind(settings.host, settings.port)) as listener:
        await serve(app, listener, service=service_name, ready=ready, drain=service.drain)


def _calm_collector() -> None:
    """Let the cycle collector look at fewer objects, and less often.

    Records of steps are many and hold no cycles; with Python's defaults going through them all took half of the
    CPU of a batch of 256 inline steps and pauses of over half a second (benchmarks/envserver.py).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
