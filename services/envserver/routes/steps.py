"""Steps: one of a session, or a batch of many."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from services.envserver.routes.common import BODY, ENGINE, EVERYWHERE, SESSION, service_of
from services.http.boundary import declared
from services.http.wire import answer, body_of, read
from shared.protocol import BatchAnswer, BatchRequest, StepRequest, StepResult

router = APIRouter(prefix="/v1", tags=["steps"])

_STEP = (
    *EVERYWHERE,
    *BODY,
    *SESSION,
    *ENGINE,
    "action_too_large",
    "step_conflict",
    "step_gap",
    "episode_over",
    "history_full",
    "not_supported",
    "queue_full",
    "draining",
)


@router.post(
    "/sessions/{session_id}/steps",
    response_model=StepResult,
    responses=declared(*_STEP),
    openapi_extra=body_of(StepRequest),
)
async def step(request: Request, session_id: str) -> Response:
    """Execute the ``seq``-th action, or get its recorded answer; so any call may be repeated."""
    service = service_of(request)
    return answer(await service.step(session_id, await read(request, StepRequest)))


@router.post("/steps", response_model=BatchAnswer, responses=declared(*EVERYWHERE, *BODY), openapi_extra=body_of(BatchRequest))
async def steps(request: Request) -> Response:
    """Steps of many sessions; each is answered by its result or by its own problem."""
    service = service_of(request)
    asked = await read(request, BatchRequest)
    return answer(BatchAnswer.model_construct(results=await service.batch(asked.steps)))
