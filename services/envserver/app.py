"""The application of an environment server, assembled."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.envserver.compat import agentgym, openenv
from services.envserver.metrics import Metrics
from services.envserver.routes import environment as environment_routes
from services.envserver.routes import health, sessions, steps
from services.envserver.service import Service
from services.http.auth import BearerAuth
from services.http.boundary import ProblemBoundary, install_handlers
from services.http.latency import MeasureRequests
from services.http.limits import BodyLimit
from services.http.wire import describe
from shared.environment import Environment
from shared.protocol import PROTOCOL_VERSION, BatchRequest, CreateNamedSession, CreateSession, ForkRequest, StepRequest
from shared.settings import EnvironmentSettings


def create_app(environment: Environment, settings: EnvironmentSettings | None = None, *, wait: bool = True) -> FastAPI:
    """An environment server over ``environment``.

    The application's lifespan starts and stops the environment. With ``wait`` nothing is answered before it is
    loaded; without, probes answer meanwhile and every other call is ``not_ready``.
    Raises ``data_not_found`` for a token file that is not there.
    """
    settings = settings or EnvironmentSettings()
    token = settings.token()
    service = Service(environment, settings)
    metrics = Metrics(service)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        service.begin()
        try:
            if wait:
                await service.started()
            yield
        finally:
            await service.stop()

    app = FastAPI(
        title="restep environment server",
        version=PROTOCOL_VERSION,
        description="Plays episodes of one benchmark over HTTP. Errors are RFC 9457 problem details.",
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.service = service
    app.state.metrics = metrics
    app.state.agentgym = agentgym.Slots()
    app.add_middleware(BodyLimit)  # the innermost first
    if token is not None:
        app.add_middleware(BearerAuth, token=token)
    app.add_middleware(ProblemBoundary)
    app.add_middleware(MeasureRequests, latency=metrics.latency)
    install_handlers(app)
    for routes in (steps, sessions, environment_routes, health, openenv, agentgym):
        app.include_router(routes.router)
    native = (BatchRequest, CreateNamedSession, CreateSession, ForkRequest, StepRequest)
    describe(app, *native, agentgym.ResetBody, agentgym.StepBody, agentgym.CloseBody)
    return app
