"""Sessions: create, look at, fork, end, and ask the expert about."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from services.envserver.routes.common import BODY, ENGINE, EVERYWHERE, SESSION, Limit, Offset, service_of
from services.http.boundary import declared
from services.http.clients import client_of
from services.http.wire import answer, body_of, read
from shared.protocol import (
    CreateNamedSession,
    CreateSession,
    ExpertAdvice,
    ForkRequest,
    SessionHistory,
    SessionId,
    SessionPage,
    SessionView,
)

router = APIRouter(prefix="/v1/sessions", tags=["sessions"])

_CREATION = (
    *EVERYWHERE,
    *BODY,
    *ENGINE,
    "unknown_task",
    "unknown_split",
    "invalid_option",
    "not_supported",
    "session_conflict",
    "session_gone",
    "over_capacity",
    "too_many_sessions",
    "queue_full",
    "draining",
)
_REPEATED = {200: {"model": SessionView, "description": "The session exists already and plays the same episode"}}


async def _create(request: Request, session_id: str | None, asked: CreateSession) -> Response:
    sessions = service_of(request).sessions
    session, new = await sessions.create(session_id, asked, client_of(request.scope))
    return answer(session.view(sessions.lease), 201 if new else 200)


@router.put(
    "/{session_id}",
    status_code=201,
    response_model=SessionView,
    responses={**declared(*_CREATION), **_REPEATED},
    openapi_extra=body_of(CreateSession),
)
async def put_session(request: Request, session_id: Annotated[SessionId, Path()]) -> Response:
    """Begin an episode under an id of the client's choice; repeating the call is safe."""
    return await _create(request, session_id, await read(request, CreateSession))


@router.post(
    "",
    status_code=201,
    response_model=SessionView,
    responses={**declared(*_CREATION), **_REPEATED},
    openapi_extra=body_of(CreateNamedSession),
)
async def post_session(request: Request) -> Response:
    """The same with an id made by the server, or given as ``session_id`` in the body."""
    asked = await read(request, CreateNamedSession)
    return await _create(request, asked.session_id, asked)


@router.get("", response_model=SessionPage, responses=declared(*EVERYWHERE))
async def list_sessions(request: Request, offset: Offset = 0, limit: Limit = 100) -> Response:
    """The sessions this server holds, in the order of their creation; looking renews no lease."""
    sessions = service_of(request).sessions
    page = [session.view(sessions.lease) for session in sessions.page(offset, limit)]
    return answer(SessionPage(sessions=page, total=len(sessions), offset=offset, limit=limit))


@router.get("/{session_id}", response_model=SessionHistory, responses=declared(*EVERYWHERE, *SESSION))
async def get_session(request: Request, session_id: str) -> Response:
    """A session's state and every step executed."""
    sessions = service_of(request).sessions
    return answer((await sessions.get(session_id)).history(sessions.lease))


@router.post(
    "/{session_id}/fork",
    status_code=201,
    response_model=SessionView,
    responses={**declared(*EVERYWHERE, *BODY, *SESSION, *ENGINE, *_CREATION, "step_gap"), **_REPEATED},
    openapi_extra=body_of(ForkRequest, required=False),
)
async def fork(request: Request, session_id: str) -> Response:
    """A new, independent session in the state after ``at_seq`` steps (default: all), reached by verified replay."""
    sessions = service_of(request).sessions
    asked = await read(request, ForkRequest, empty=b"{}")
    session, new = await sessions.fork(session_id, asked, client_of(request.scope))
    return answer(session.view(sessions.lease), 201 if new else 200)


@router.get(
    "/{session_id}/expert",
    response_model=ExpertAdvice,
    responses=declared(
        *EVERYWHERE, *SESSION, "expert_disabled", "expert_failed", "not_supported", "engine_lost", "timeout", "queue_full"
    ),
)
async def expert(request: Request, session_id: str) -> Response:
    """Privileged: the expert's continuation from the present state and its verdict on the last step."""
    return answer(await service_of(request).expert(session_id))


@router.delete("/{session_id}", status_code=204, response_class=Response, responses=declared(*EVERYWHERE))
async def delete_session(request: Request, session_id: str) -> Response:
    """End a session; repeating the call is safe."""
    await service_of(request).sessions.close(session_id)
    return Response(status_code=204)
