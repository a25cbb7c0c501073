"""The native routes: ReAct steps in ids, what answers, and its exchange."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from services.agent.service import AgentService
from services.http.boundary import declared
from services.http.leaving import unless_left
from services.http.wire import answer, body_of, read
from shared.agent_protocol import AgentInfo, AgentTurn, LoadCheckpoint, ReactStepRequest

router = APIRouter(prefix="/v1", tags=["agent"])


@router.get("/agent", response_model=AgentInfo, responses=declared("not_ready", "unauthorized"))
async def agent(request: Request) -> Response:
    """What answers here, and what a client needs to render prompts for it."""
    service: AgentService = request.app.state.service
    return answer(service.info())


@router.post(
    "/react/steps",
    response_model=AgentTurn,
    openapi_extra=body_of(ReactStepRequest),
    responses=declared(
        "malformed_json",
        "invalid_request",
        "prompt_too_long",
        "unknown_model",
        "not_supported",
        "queue_full",
        "backend_failed",
        "timeout",
        "draining",
        "not_ready",
    ),
)
async def react_step(request: Request) -> Response:
    """One answer to a rendered dialogue. Leaving cancels the work."""
    service: AgentService = request.app.state.service
    asked = await read(request, ReactStepRequest)
    return answer(await unless_left(request, service.step(asked)))


@router.post(
    "/checkpoint",
    response_model=AgentInfo,
    openapi_extra=body_of(LoadCheckpoint),
    responses=declared("malformed_json", "invalid_request", "checkpoint_not_found", "unsuitable_model", "draining"),
)
async def checkpoint(request: Request) -> Response:
    """Serve another checkpoint. What was accepted before is answered by the old one, which stays if this fails."""
    service: AgentService = request.app.state.service
    asked = await read(request, LoadCheckpoint)
    return answer(await service.load(asked.path))
