"""The application of an environment server, assembled."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from fastapi import APIRouter, FastAPI

from services.envserver.compat import agentgym, openenv
from services.envserver.metrics import Metrics
from services.envserver.routes import environment as environment_routes
from services.envserver.routes import sessions, steps
from services.envserver.service import Service
from services.http.assembly import assemble
from services.http.foreign import is_local
from shared.environment import Environment
from shared.protocol import BatchRequest, CreateNamedSession, CreateSession, ForkRequest, StepRequest
from shared.settings import EnvironmentSettings

_NATIVE_BODIES = (BatchRequest, CreateNamedSession, CreateSession, ForkRequest, StepRequest)


def create_app(
    environment: Environment,
    settings: EnvironmentSettings | None = None,
    *,
    routers: Sequence[APIRouter] = (),
    public: Sequence[APIRouter] = (),
    wait: bool = True,
    clock: Callable[[], float] = time.monotonic,
) -> FastAPI:
    """An environment server over ``environment``.

    ``routers`` are what a benchmark offers beyond the protocol; ``public`` ones are answered without a token.

    The application's lifespan starts and stops the environment. With ``wait`` nothing is answered before it is
    loaded; without, probes answer meanwhile and every other call is ``not_ready``. Leases run by
    ``clock``, in seconds.
    Raises ``data_not_found`` for a token file that is not there.
    """
    settings = settings or EnvironmentSettings()
    service = Service(environment, settings, clock)
    app = assemble(
        service,
        Metrics(service),
        [*(routes.router for routes in (steps, sessions, environment_routes, openenv, agentgym)), *routers],
        (*_NATIVE_BODIES, agentgym.ResetBody, agentgym.StepBody, agentgym.CloseBody),
        title="restep environment server",
        description="Plays episodes of one benchmark over HTTP. Errors are RFC 9457 problem details.",
        tokens=settings.tokens(),
        wait=wait,
        plain_names=is_local(settings.host),
        public=public,
    )
    app.state.agentgym = agentgym.Slots()
    return app
