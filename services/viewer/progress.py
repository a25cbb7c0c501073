"""How far runs are: what the pages and the JSON beside them say of a run and its collections."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from pydantic import BaseModel

from services.viewer.files import RunFiles, iso
from services.viewer.library import Library, OpenRun
from services.viewer.results import RESULTS_FILE
from shared.errors import RestepError
from shared.store import Summary

State = Literal["finished", "going", "stopped"]
_GOING: Final = timedelta(seconds=60)


class CollectionProgress(BaseModel):
    """Counts of a collection: units finished, kept for training, successful; failed ones were never finished.

    ``planned`` counts those that it will have when all are finished, as far as its driver has planned.
    """

    name: str
    planned: int
    finished: int
    kept: int
    succeeded: int
    failed: int
    latest: str


class ArmProgress(BaseModel):
    """How far an arm's training is. ``step`` and ``loss`` are those of the last optimiser step."""

    name: str
    trained: bool
    step: int | None
    loss: float | None


class RunProgress(BaseModel):
    """A run. ``going``: something was written within the last minute. ``troubles`` say what could not be read."""

    name: str
    description: str
    state: State
    latest: str
    planned: int
    finished: int
    succeeded: int
    failed: int
    collections: list[CollectionProgress]
    arms: list[ArmProgress]
    pages: list[str]
    troubles: list[str]


PAGES: Final = {"report": "report.html", "judge": "judge.html"}
"""Pages that a run wrote of itself."""


def progress(run: OpenRun) -> RunProgress:
    """A run as it stands."""
    collections = [_collection(name, summary) for name, summary in run.shelf.summaries().items()]
    files = run.files
    latest = max([iso(files.touched()) if files else "", *(one.latest for one in collections)])
    return RunProgress(
        name=run.name,
        description=_description(files),
        state=_state(files, latest),
        latest=latest,
        planned=sum(one.planned for one in collections),
        finished=sum(one.finished for one in collections),
        succeeded=sum(one.succeeded for one in collections),
        failed=sum(one.failed for one in collections),
        collections=collections,
        arms=[_arm(files, name) for name in files.arms()] if files else [],
        pages=[name for name, file in PAGES.items() if files and files.find(file)],
        troubles=run.shelf.troubles,
    )


def every_progress(library: Library) -> list[RunProgress]:
    """Every run, by name."""
    found: list[RunProgress] = []
    for name in library.names():
        try:
            with library.open(name) as run:
                found.append(progress(run))
        except RestepError as error:
            if error.code != "data_not_found":  # it was removed meanwhile
                raise
    return found


def _collection(name: str, summary: Summary) -> CollectionProgress:
    counts = summary.counts
    return CollectionProgress(
        name=name,
        planned=counts.finished + summary.left,
        finished=counts.finished,
        kept=counts.kept,
        succeeded=counts.succeeded,
        failed=counts.failed,
        latest=summary.latest,
    )


def _state(files: RunFiles | None, latest: str) -> State:
    if (files is not None and files.going()) or _recent(latest):
        return "going"
    return "finished" if files is not None and files.find(RESULTS_FILE) else "stopped"


def _recent(moment: str) -> bool:
    try:
        return datetime.now(UTC) - datetime.fromisoformat(moment) < _GOING
    except (ValueError, TypeError):
        return False  # no moment, or one without a zone


def _description(files: RunFiles | None) -> str:
    if files is None:
        return "in the shared store"
    try:
        return str(files.json("recipe.json").get("description", ""))
    except RestepError:
        return ""


def _arm(files: RunFiles, name: str) -> ArmProgress:
    line = files.last_line(f"arms/{name}/metrics.jsonl")
    step, loss = line.get("step"), line.get("loss")
    return ArmProgress(
        name=name,
        trained=files.find(f"arms/{name}/restep.json") is not None,
        step=int(step) if isinstance(step, int | float) else None,
        loss=float(loss) if isinstance(loss, int | float) else None,
    )
