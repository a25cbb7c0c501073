"""The episodes of a collection, and one of them step by step."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from services.http.boundary import declared
from services.viewer.reading import STRIP_WIDTH, read_steps, strip
from services.viewer.routes.common import (
    EVERYWHERE,
    PAGE,
    RUN,
    Attempt,
    CollectionName,
    Flag,
    RunName,
    TaskId,
    TypeFilter,
    library_of,
    pages_of,
    wanted,
)

router = APIRouter(tags=["episodes"])
_RESPONSES: Final = {**PAGE, **declared(*EVERYWHERE, *RUN)}
PER_PAGE: Final = 50


@router.get(
    "/runs/{run}/collections/{collection:path}/episodes/{task:path}/{attempt:int}",
    response_class=Response,
    responses=_RESPONSES,
)
def episode(request: Request, run: RunName, collection: CollectionName, task: TaskId, attempt: Attempt) -> Response:
    """One trajectory: what was said, done and seen, who judged what, and what is trained on."""
    with library_of(request).open(run) as opened:
        trajectory = opened.shelf.trajectory(collection, task, attempt)
        others = [unit for unit in opened.shelf.attempts(task) if (unit.run, unit.attempt) != (collection, attempt)]
    return pages_of(request).page(
        "episode",
        run=run,
        collection=collection,
        attempt=attempt,
        trajectory=trajectory,
        steps=read_steps(trajectory),
        strip=strip(trajectory),
        strip_width=STRIP_WIDTH,
        others=others,
    )


@router.get("/runs/{run}/collections/{collection:path}", response_class=Response, responses=_RESPONSES)
def collection_page(
    request: Request,
    run: RunName,
    collection: CollectionName,
    success: Flag = "",
    kept: Flag = "",
    type: TypeFilter = "",
    page: Annotated[int, Query(ge=1, le=10**6, description="which page, from 1")] = 1,
) -> Response:
    """The episodes of a collection, by task and attempt."""
    with library_of(request).open(run) as opened:
        types = opened.shelf.types(collection)
        found = opened.shelf.page(collection, wanted(success, kept, type), offset=(page - 1) * PER_PAGE, limit=PER_PAGE)
        failures = opened.shelf.failures(collection)
    return pages_of(request).page(
        "collection",
        run=run,
        collection=collection,
        units=found.units,
        total=found.total,
        page=page,
        last_page=max(1, -(-found.total // PER_PAGE)),
        chosen={"success": success, "kept": kept, "type": type},
        types=types,
        failures=failures,
    )
