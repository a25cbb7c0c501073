"""The same as JSON, for scripts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from services.http.boundary import declared
from services.http.wire import answer
from services.viewer.progress import RunProgress, every_progress, progress
from services.viewer.routes.common import (
    EVERYWHERE,
    RUN,
    Attempt,
    CollectionName,
    Flag,
    RunName,
    TaskId,
    TypeFilter,
    library_of,
    wanted,
)
from shared.store import Unit
from shared.trajectory import Trajectory

router = APIRouter(prefix="/api", tags=["JSON"], responses=declared(*EVERYWHERE))


class Runs(BaseModel):
    """Every run, by name."""

    runs: list[RunProgress]


class FailureLine(BaseModel):
    """A unit that failed and was not finished later."""

    task_id: str
    attempt: int
    code: str
    detail: str
    tries: int
    first_failed: str
    last_failed: str


class Episodes(BaseModel):
    """A slice of a collection's episodes that match, how many match in all, and what failed."""

    episodes: list[Unit]
    total: int
    offset: int
    limit: int
    failures: list[FailureLine]


@router.get("/runs", response_model=Runs)
def runs(request: Request) -> Response:
    """How far every run is."""
    return answer(Runs(runs=every_progress(library_of(request))))


@router.get("/runs/{run}", response_model=RunProgress, responses=declared(*RUN))
def run(request: Request, run: RunName) -> Response:
    """How far a run is."""
    with library_of(request).open(run) as opened:
        return answer(progress(opened))


@router.get(
    "/runs/{run}/collections/{collection:path}/episodes/{task:path}/{attempt:int}",
    response_model=Trajectory,
    responses=declared(*RUN),
)
def episode(request: Request, run: RunName, collection: CollectionName, task: TaskId, attempt: Attempt) -> Response:
    """A trajectory document, schema version 1."""
    with library_of(request).open(run) as opened:
        trajectory = opened.shelf.trajectory(collection, task, attempt)
    return Response(trajectory.dumps(), media_type="application/json")


@router.get("/runs/{run}/collections/{collection:path}", response_model=Episodes, responses=declared(*RUN))
def episodes(
    request: Request,
    run: RunName,
    collection: CollectionName,
    success: Flag = "",
    kept: Flag = "",
    type: TypeFilter = "",
    offset: Annotated[int, Query(ge=0, le=2**31 - 1, description="how many to skip")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000, description="how many to answer at most")] = 100,
) -> Response:
    """The episodes of a collection, by task and attempt."""
    with library_of(request).open(run) as opened:
        found = opened.shelf.page(collection, wanted(success, kept, type), offset=offset, limit=limit)
        failures = opened.shelf.failures(collection)
    return answer(
        Episodes(
            episodes=list(found.units),
            total=found.total,
            offset=offset,
            limit=limit,
            failures=[FailureLine.model_validate(failure, from_attributes=True) for failure in failures],
        )
    )
