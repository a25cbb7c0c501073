"""The collections of one run, wherever they are kept: in its folder's own store, in one that runs share, or in both.

In a shared store the run's name leads the collection's: ``demo/golden/sciworld``. Stores are opened for reading only.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from shared.errors import RestepError
from shared.store import Failure, Summary, TrajectoryStore, Unit, UnitPage, Wanted
from shared.trajectory import Trajectory


@dataclass(frozen=True, slots=True)
class Place:
    """A store, and what stands before the names of a run's collections in it."""

    store: TrajectoryStore
    before: str = ""


class Shelf:
    """A run's collections by their own names; a store that cannot be read is told of in ``troubles``."""

    def __init__(self, places: Sequence[Place], troubles: Sequence[str] = ()) -> None:
        self.troubles = list(troubles)
        self._summaries: dict[str, Summary] = {}
        self._places: dict[str, Place] = {}
        for place in places:
            try:
                found = place.store.summaries(place.before)
            except RestepError as error:
                self.troubles.append(error.detail)
                continue
            for name, summary in found.items():
                own = name.removeprefix(place.before)
                if own not in self._places:
                    self._places[own], self._summaries[own] = place, summary

    def summaries(self) -> dict[str, Summary]:
        """How far every collection is, in order of name."""
        return dict(sorted(self._summaries.items()))

    def page(self, collection: str, wanted: Wanted, *, offset: int = 0, limit: int = 100) -> UnitPage:
        """Finished units of a collection. Raises ``data_not_found``, as all that follow do."""
        place, name = self._find(collection)
        found = place.store.page([name], wanted, offset=offset, limit=limit)
        return UnitPage([replace(unit, run=collection) for unit in found.units], found.total)

    def types(self, collection: str) -> list[str]:
        """The task types of a collection."""
        place, name = self._find(collection)
        return place.store.types(name)

    def failures(self, collection: str) -> list[Failure]:
        """Units of a collection that failed and were not finished later."""
        place, name = self._find(collection)
        return [failure for failure in place.store.failures(name) if not failure.resolved]

    def trajectory(self, collection: str, task_id: str, attempt: int) -> Trajectory:
        """One trajectory."""
        place, name = self._find(collection)
        found = place.store.trajectory(name, task_id, attempt)
        if found is None:
            raise RestepError("data_not_found", f"{collection} has no attempt {attempt} at {task_id}")
        return found

    def attempts(self, task_id: str) -> list[Unit]:
        """Every finished attempt at a task, of all collections."""
        wanted = Wanted(task_id=task_id)
        return [unit for name in self.summaries() for unit in self.page(name, wanted).units]

    def _find(self, collection: str) -> tuple[Place, str]:
        if collection not in self._places:
            raise RestepError("data_not_found", f"the run has no collection {collection!r}")
        place = self._places[collection]
        return place, place.before + collection


@contextmanager
def open_shelf(name: str, own: Path | None, shared: TrajectoryStore | None) -> Generator[Shelf]:
    """The collections of the run ``name``; ``own`` is its folder's store, if it has one."""
    with ExitStack() as stack:
        places: list[Place] = []
        troubles: list[str] = []
        if own is not None:
            try:
                places.append(Place(stack.enter_context(TrajectoryStore(own, read_only=True))))
            except RestepError as error:
                troubles.append(error.detail)
        if shared is not None:
            places.append(Place(shared, f"{name}/"))
        yield Shelf(places, troubles)
