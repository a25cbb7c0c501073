"""How every service's application is put together: its life, its layers in their order, probes and routes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.types import ASGIApp

from services.http import probes
from services.http.auth import Allows, BearerAuth
from services.http.boundary import ProblemBoundary, install_handlers
from services.http.documentation import documentation
from services.http.foreign import NoForeignPages
from services.http.latency import MeasureRequests
from services.http.limits import BodyLimit
from services.http.probes import Observed
from services.http.wire import describe
from shared.protocol import PROTOCOL_VERSION
from shared.tokens import Tokens

Layer = Callable[[ASGIApp], ASGIApp]
"""An ASGI layer around an application."""


class Served(Observed, Protocol):
    """What an application serves: it loads in the background, and ends."""

    def begin(self) -> None:
        """Start loading."""
        ...

    async def started(self) -> None:
        """Wait until it is loaded. Raises what loading raised."""
        ...

    async def stop(self) -> None:
        """End it."""
        ...


def assemble(
    service: Served,
    metrics: probes.Metrics,
    routers: Sequence[APIRouter],
    bodies: Sequence[type[BaseModel]],
    *,
    title: str,
    description: str,
    tokens: Tokens | None,
    wait: bool,
    plain_names: bool,
    public: Sequence[APIRouter] = (),
    also: Allows | None = None,
    translators: Sequence[Layer] = (),
    docs: bool = True,
) -> FastAPI:
    """An application over ``service``, which the routers find in ``app.state.service``.

    Its lifespan starts and stops the service. With ``wait`` nothing is answered before it is loaded; without, probes
    answer meanwhile. ``bodies`` are the models that routes read by hand, for OpenAPI; ``public`` are routers of pages
    without secrets, answered without a token; ``also`` says who else is. ``plain_names``: without tokens no domain is
    answered to. ``translators`` are ASGI layers that say answers in another protocol's words. ``docs`` offers the page
    over OpenAPI.
    """

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
        title=title,
        version=PROTOCOL_VERSION,
        description=description,
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    app.state.metrics = metrics
    app.add_middleware(BodyLimit)  # the innermost first
    if tokens is not None:
        app.add_middleware(BearerAuth, tokens=tokens, public=_paths(public), also=also)
    else:
        app.add_middleware(NoForeignPages, plain_names=plain_names)
    app.add_middleware(ProblemBoundary)
    for translator in translators:
        app.add_middleware(translator)
    app.add_middleware(MeasureRequests, latency=metrics.latency)
    install_handlers(app)
    for router in (*routers, *public, probes.router, *([documentation()] if docs else [])):
        app.include_router(router)
    describe(app, *bodies)
    return app


def _paths(routers: Sequence[APIRouter]) -> frozenset[str]:
    return frozenset(route.path for router in routers for route in router.routes if isinstance(route, APIRoute))
