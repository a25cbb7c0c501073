"""For those who run the service: liveness, readiness, metrics."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from services.agent.metrics import Metrics
from services.agent.service import AgentService
from services.http.boundary import declared
from services.http.wire import answer
from shared.errors import RestepError
from shared.protocol import Health
from shared.telemetry import METRICS_MEDIA_TYPE

router = APIRouter(tags=["health"])


@router.get("/healthz", response_model=Health)
async def healthz(request: Request) -> Response:
    """The process answers."""
    return answer(Health(status="ok"))


@router.get("/readyz", response_model=Health, responses=declared("not_ready", "draining"))
async def readyz(request: Request) -> Response:
    """A checkpoint is loaded, and the service is not leaving."""
    service: AgentService = request.app.state.service
    if service.draining:
        raise RestepError("draining")
    return answer(Health(status="ok", detail={"model": service.backend.info().model}))


@router.get("/metrics", response_class=Response, responses=declared("unauthorized"))
async def metrics(request: Request) -> Response:
    """Prometheus text format."""
    shown: Metrics = request.app.state.metrics
    return Response(shown.render(), media_type=METRICS_MEDIA_TYPE)
