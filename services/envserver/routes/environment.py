"""What a server offers: the environment and its tasks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.envserver.routes.common import EVERYWHERE, Limit, Offset, service_of
from services.http.boundary import declared
from services.http.wire import answer
from shared.protocol import EnvironmentInfo, TaskPage

router = APIRouter(prefix="/v1", tags=["environment"])


@router.get("/environment", response_model=EnvironmentInfo, responses=declared(*EVERYWHERE))
async def environment(request: Request) -> Response:
    """Versions, splits, action grammar, instruction, limits and capabilities."""
    return answer(service_of(request).info())


@router.get("/tasks", response_model=TaskPage, responses=declared(*EVERYWHERE, "unknown_split"))
async def tasks(
    request: Request,
    split: Annotated[str | None, Query(description="only tasks of this split")] = None,
    type: Annotated[str | None, Query(description="only tasks of this type")] = None,
    offset: Offset = 0,
    limit: Limit = 100,
) -> Response:
    """Tasks in their stable order."""
    found = service_of(request).environment.tasks(split, type)
    page = list(found[offset : offset + limit])
    return answer(TaskPage(tasks=page, total=len(found), offset=offset, limit=limit))
