"""Run an environment server as a process: ``sys.exit(run(environment, settings))`` is all a benchmark's app needs."""

from __future__ import annotations

import asyncio
import contextlib
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
    with contextlib.closing(bind(settings.host, settings.port)) as listener:
        await serve(app, listener, service=service_name, ready=service.started, drain=service.drain)
