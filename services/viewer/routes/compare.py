"""Two attempts at one task side by side: of two arms, two runs, or one collection."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.http.boundary import declared
from services.viewer.library import Library
from services.viewer.reading import STRIP_WIDTH, common_actions, read_steps, strip
from services.viewer.routes.common import EVERYWHERE, PAGE, RUN, library_of, pages_of
from services.viewer.side import Side
from shared.trajectory import Trajectory

router = APIRouter(tags=["comparison"])

_SIDE = "run:collection:attempt"
Left = Annotated[str, Query(description=_SIDE, min_length=1)]
Right = Annotated[str, Query(description=_SIDE)]


@router.get("/compare", response_class=Response, responses={**PAGE, **declared(*EVERYWHERE, *RUN)})
def compare(request: Request, task: str, left: Left, right: Right = "") -> Response:
    """Both trajectories, with what they have in common marked; without ``right``, what ``left`` may be compared with."""
    library = library_of(request)
    sides = [Side.parse(side) for side in (left, right) if side]
    trajectories = [_trajectory(library, side, task) for side in sides]
    shared = common_actions(*trajectories) if len(trajectories) == 2 else 0
    columns = [
        {"side": side, "trajectory": one, "steps": read_steps(one, shared), "strip": strip(one)}
        for side, one in zip(sides, trajectories, strict=True)
    ]
    return pages_of(request).page(
        "compare",
        task=task,
        left=left,
        right=right,
        columns=columns,
        choices=[str(side) for side in _choices(library, task)],
        shared=shared,
        strip_width=STRIP_WIDTH,
    )


def _trajectory(library: Library, side: Side, task: str) -> Trajectory:
    with library.open(side.run) as run:
        return run.shelf.trajectory(side.collection, task, side.attempt)


def _choices(library: Library, task: str) -> list[Side]:
    """Every finished attempt at the task, in any run."""
    found: list[Side] = []
    for name in library.names():
        with library.open(name) as run:
            found += [Side(name, unit.run, unit.attempt) for unit in run.shelf.attempts(task)]
    return found
