"""All runs, one run, and the pages a run wrote of itself."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request, Response

from services.http.boundary import declared
from services.viewer.layers import RUN_PAGE_POLICY
from services.viewer.pages import HTML
from services.viewer.progress import PAGES, every_progress, progress
from services.viewer.results import Results, read_results
from services.viewer.routes.common import EVERYWHERE, PAGE, RUN, RunName, library_of, pages_of
from shared.errors import RestepError

router = APIRouter(tags=["runs"])


@router.get("/", response_class=Response, responses={**PAGE, **declared(*EVERYWHERE)})
def every_run(request: Request) -> Response:
    """All runs, the last active first."""
    library = library_of(request)
    found = every_progress(library)
    found.sort(key=lambda run: run.latest, reverse=True)
    return pages_of(request).page("runs", runs=found, trouble=library.trouble())


@router.get("/runs/{run}", response_class=Response, responses={**PAGE, **declared(*EVERYWHERE, *RUN)})
def one_run(request: Request, run: RunName) -> Response:
    """A run: its results, its collections, what failed and why."""
    with library_of(request).open(run) as opened:
        shown = progress(opened)
        failures = {one.name: opened.shelf.failures(one.name) for one in shown.collections if one.failed}
        results: Results | None = None
        if opened.files is not None:
            try:
                results = read_results(opened.files)
            except RestepError as error:
                if error.code != "data_not_found":
                    shown.troubles.append(error.detail)
    return pages_of(request).page("run", run=shown, results=results, failures=failures)


@router.get("/runs/{run}/pages/{page}", response_class=Response, responses={**PAGE, **declared(*EVERYWHERE, *RUN)})
def page_of_a_run(request: Request, run: RunName, page: Literal["report", "judge"]) -> Response:
    """A page that the run wrote of itself: shown as it is, without scripts, and in an origin of its own."""
    with library_of(request).open(run) as opened:
        if opened.files is None:
            raise RestepError("data_not_found", "the run has no folder here")
        content = opened.files.read(PAGES[page])
    return Response(content, media_type=HTML, headers={"Content-Security-Policy": RUN_PAGE_POLICY})
