"""What every route module uses."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import Path, Query, Request

from services.viewer.library import Library
from services.viewer.pages import HTML, Pages
from shared.store import Wanted

EVERYWHERE: Final = (
    "unauthorized",
    "foreign_page",
    "foreign_host",
    "head_too_large",
    "invalid_request",
    "store_failed",
    "internal",
)
"""Problems that any route may answer."""
RUN: Final = ("data_not_found", "data_corrupt", "invalid_trajectory")
PAGE: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {HTML: {}}, "description": "A page"}}

RunName = Annotated[str, Path(description="a run, by its name")]
CollectionName = Annotated[str, Path(description="golden/sciworld, evaluation/step/sciworld or the like")]
TaskId = Annotated[str, Path(description="a task, by its id")]
Attempt = Annotated[int, Path(ge=0, le=2**31 - 1, description="which attempt at the task, from 0")]
Flag = Annotated[Literal["yes", "no", ""], Query(description="only those that are, or are not")]
TypeFilter = Annotated[str, Query(description="only tasks of this type")]


def library_of(request: Request) -> Library:
    """The application's library."""
    library: Library = request.app.state.service.library
    return library


def pages_of(request: Request) -> Pages:
    """The application's pages."""
    pages: Pages = request.app.state.pages
    return pages


def wanted(success: str, kept: str, type: str) -> Wanted:
    """The filter of a query, in which nothing means all."""
    return Wanted(type=type or None, success=_flag(success), kept=_flag(kept))


def _flag(text: str) -> bool | None:
    return {"yes": True, "no": False}.get(text)
