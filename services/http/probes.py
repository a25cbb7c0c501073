"""For those who run a service: liveness, readiness, metrics. The same three routes on each."""

from __future__ import annotations

from typing import Protocol

from fastapi import APIRouter, Request, Response

from services.http.boundary import declared
from services.http.latency import RequestLatency
from services.http.wire import answer
from shared.protocol import Health
from shared.telemetry import METRICS_MEDIA_TYPE

router = APIRouter(tags=["health"])


class Observed(Protocol):
    """A service as its probes see it."""

    def ready(self) -> Health:
        """What it is ready with. Raises ``draining`` while it is leaving, ``not_ready`` while it loads."""
        ...


class Metrics(Protocol):
    """What a service counts."""

    latency: RequestLatency

    def render(self) -> bytes:
        """The Prometheus text format."""
        ...


@router.get("/healthz", response_model=Health)
async def healthz(request: Request) -> Response:
    """The process answers."""
    return answer(Health())


@router.get("/readyz", response_model=Health, responses=declared("not_ready", "draining"))
async def readyz(request: Request) -> Response:
    """What is served is loaded, and the service is not leaving."""
    service: Observed = request.app.state.service
    return answer(service.ready())


@router.get("/metrics", response_class=Response, responses=declared("unauthorized"))
async def metrics(request: Request) -> Response:
    """Prometheus text format."""
    shown: Metrics = request.app.state.metrics
    return Response(shown.render(), media_type=METRICS_MEDIA_TYPE)
