"""Finished work, kept so that nothing is done twice and nothing finished is lost.

The unit of work is (run, task, attempt). A finished unit is one row, written in one transaction with its trajectory;
what is planned and has no such row is still to do. So a collector needs no state of its own: it plans its units, claims
the next ones, and may be killed at any point; others may do the same beside it. Methods block: call them through
``asyncio.to_thread``. A store may be used by many threads, and one database by many processes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import orjson
from sqlalchemy import ColumnElement, Connection, and_, func, insert, select

from shared.errors import RestepError
from shared.store import browse, leases
from shared.store.books import Books
from shared.store.browse import Counts, Summary, Unit, UnitPage, Wanted
from shared.store.database import Database
from shared.store.jsonl import Imported, export_jsonl, import_jsonl
from shared.store.leases import UnitKey
from shared.store.schema import Episode, Experiment, FailedUnit
from shared.trajectory import Trajectory, load_trajectory

_READ_AT_ONCE: Final = 64
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Failure:
    """A unit that failed: its last cause, how often, and whether a later try finished it after all."""

    task_id: str
    attempt: int
    code: str
    detail: str
    tries: int
    first_failed: str
    last_failed: str
    resolved: bool


class TrajectoryStore:
    """The trajectories of many runs in one database. Every method raises ``store_failed`` when the database does."""

    def __init__(
        self,
        url_or_path: str | Path,
        *,
        namespace: str | None = None,
        busy_timeout: float = 30.0,
        patience: float = 60.0,
        clock: Callable[[], float] | None = None,
        read_only: bool = False,
    ) -> None:
        """Open a store at a path (SQLite) or a database URL; it is created, or brought to the present layout, if need be.

        ``namespace``: an experiment whose runs have names of their own in a store that several share. ``busy_timeout``:
        seconds that a write to SQLite waits for other writers. ``patience``: seconds for which a transaction is tried
        again when PostgreSQL is lost. ``clock``: seconds by which leases run out, in place of PostgreSQL's or this machine's.
        ``read_only`` creates and changes nothing.
        """
        self._database = Database(url_or_path, busy_timeout=busy_timeout, patience=patience, clock=clock, read_only=read_only)
        self.url = self._database.url
        self.namespace = namespace
        self._prefix = "" if namespace is None else f"{namespace}/"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection. Idempotent."""
        self._database.close()

    # --- writing -----------------------------------------------------------------------------------------------

    def commit(self, trajectory: Trajectory, *, attempt: int = 0, kept: bool, owner: str | None = None) -> bool:
        """Finish a unit: True when it is stored now, False when it already was (the first stays).

        ``kept`` says whether the trajectory is for training. With an ``owner``, False as well, and nothing is stored,
        where its lease of the unit has been taken over. Raises ``invalid_trajectory`` for one that could not be read
        back.
        """
        row = {**_row(trajectory, attempt, kept), "run": self._name(trajectory.run)}
        unit = {key: row[key] for key in ("run", "task_id", "attempt")}
        insertion, calls = self._database.insert_or_leave(Episode, row), count()

        def work(connection: Connection) -> bool:
            if next(calls) and connection.execute(select(Episode.document).filter_by(**unit)).scalar() == row["document"]:
                return True  # the first commit arrived, its answer did not
            if not leases.end_finished(connection, unit, owner):
                return False
            return connection.execute(insertion.returning(Episode.number)).first() is not None

        return self._database.write(work)

    def commit_all(self, trajectories: Iterable[Trajectory], run: str, *, kept: bool) -> tuple[int, int]:
        """Add trajectories to a run, all or none; returns how many were added and how many were there already.

        The same content is not added again; each new one takes the next free attempt of its task. ``trajectories`` are
        gone through again when the connection breaks.
        """
        name = self._name(run)

        def work(connection: Connection) -> tuple[int, int]:
            present, attempts = _contents(connection, name)
            added = skipped = 0
            for trajectory in trajectories:
                if present[trajectory.id]:
                    present[trajectory.id] -= 1
                    skipped += 1
                    continue
                attempt = attempts.get(trajectory.task.id, 0)
                attempts[trajectory.task.id] = attempt + 1
                row = _row(trajectory.model_copy(update={"run": run}), attempt, kept)
                connection.execute(insert(Episode).values({**row, "run": name}))
                added += 1
            return added, skipped

        return self._database.write(work)

    def fail(self, run: str, task_id: str, attempt: int, error: RestepError, *, owner: str | None = None) -> int:
        """Record that a unit failed, with the cause; a repeated failure is counted and the last cause stays.

        Returns how often it has failed by now. With an ``owner``, its lease ends, or nothing is recorded and 0 is
        returned where it was taken over.
        """
        unit = {"run": self._name(run), "task_id": task_id, "attempt": attempt}
        now = datetime.now(UTC).isoformat(timespec="seconds")
        cause = {"code": error.code, "detail": _storable(error.detail), "last_failed": now}
        first = {**unit, **cause, "tries": 1, "first_failed": now}
        record = self._database.insert_or_update(FailedUnit, first, {**cause, "tries": FailedUnit.tries + 1})

        def work(connection: Connection) -> int:
            if not leases.end_failed(connection, unit, owner):
                return 0
            return connection.execute(record.returning(FailedUnit.tries)).scalar_one()

        return self._database.write(work)

    def begin(self, name: str, recipe: str) -> str:
        """Enter an experiment with the recipe that begins it; returns the recipe of whoever was first."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        entry = self._database.insert_or_leave(Experiment, {"name": name, "recipe": recipe, "begun": now})

        def work(connection: Connection) -> str:
            connection.execute(entry)
            return connection.execute(select(Experiment.recipe).where(Experiment.name == name)).scalar_one()

        return self._database.write(work)

    def books(self, name: str) -> Books:
        """The books and answers of a model under a name."""
        return Books(self._database, self._name(name))

    # --- work that is shared -----------------------------------------------------------------------------------

    def plan(self, run: str, units: Sequence[UnitKey]) -> int:
        """See :func:`shared.store.leases.plan`."""
        return leases.plan(self._database, self._name(run), units)

    def claim(self, run: str, owner: str, limit: int, seconds: float, *, tries: int | None = None) -> list[UnitKey]:
        """See :func:`shared.store.leases.claim`."""
        return leases.claim(self._database, self._name(run), owner, limit, seconds, tries)

    def renew(self, run: str, owner: str, units: Collection[UnitKey], seconds: float) -> set[UnitKey]:
        """See :func:`shared.store.leases.renew`."""
        return leases.renew(self._database, self._name(run), owner, units, seconds)

    def release(self, run: str, owner: str) -> None:
        """See :func:`shared.store.leases.release`."""
        leases.release(self._database, self._name(run), owner)

    def unfinished(self, run: str, *, tries: int | None = None) -> int:
        """See :func:`shared.store.leases.unfinished`."""
        return leases.unfinished(self._database, self._name(run), tries)

    # --- reading -----------------------------------------------------------------------------------------------

    def finished(self, run: str) -> set[UnitKey]:
        """(task id, attempt) of every finished unit of a run."""
        query = select(Episode.task_id, Episode.attempt).where(Episode.run == self._name(run))
        return self._read(lambda connection: {(task_id, attempt) for task_id, attempt in connection.execute(query)})

    def units(self, run: str) -> list[Unit]:
        """Every finished unit of a run without its trajectory, by task id and attempt."""
        columns = [getattr(Episode, field.name) for field in fields(Unit)]
        query = select(*columns).where(Episode.run == self._name(run)).order_by(Episode.task_id, Episode.attempt)
        rows = self._read(lambda connection: connection.execute(query).mappings().all())
        return [replace(Unit(**row), run=run) for row in rows]

    def failures(self, run: str) -> list[Failure]:
        """Every unit of a run that ever failed, by task id and attempt."""
        columns = [getattr(FailedUnit, field.name) for field in fields(Failure) if field.name != "resolved"]
        query = select(*columns, Episode.number.is_not(None).label("resolved")).select_from(FailedUnit)
        query = query.outerjoin(Episode, _same_unit()).where(FailedUnit.run == self._name(run))
        query = query.order_by(FailedUnit.task_id, FailedUnit.attempt)
        return [Failure(**row) for row in self._read(lambda connection: connection.execute(query).mappings().all())]

    def counts(self, run: str) -> Counts:
        """How far a run is."""
        finished = select(Episode.kept, Episode.success).where(Episode.run == self._name(run))
        failed = select(func.count()).select_from(FailedUnit).outerjoin(Episode, _same_unit())
        failed = failed.where(FailedUnit.run == self._name(run), Episode.number.is_(None))

        def work(connection: Connection) -> Counts:
            flags = [(kept, success) for kept, success in connection.execute(finished)]
            failures = connection.execute(failed).scalar_one()
            return Counts(len(flags), sum(kept for kept, _ in flags), sum(success for _, success in flags), failures)

        return self._read(work)

    def runs(self) -> list[str]:
        """Every run that finished or failed at something, in order of name."""
        query = select(Episode.run).union(select(FailedUnit.run))
        names = self._read(lambda connection: connection.execute(query).scalars().all())
        return sorted(name.removeprefix(self._prefix) for name in names if name.startswith(self._prefix))

    def summaries(self, before: str = "") -> dict[str, Summary]:
        """How far every run is whose name begins with ``before``, in order of name."""
        found = self._read(lambda connection: browse.summaries(connection, self._name(before)))
        return {name.removeprefix(self._prefix): summary for name, summary in found.items()}

    def page(self, runs: Sequence[str], wanted: Wanted | None = None, *, offset: int = 0, limit: int = 100) -> UnitPage:
        """Finished units of runs without their trajectories, by task id, attempt and run: those from ``offset`` on."""
        names = [self._name(run) for run in runs]
        found = self._read(lambda connection: browse.page(connection, names, wanted or Wanted(), offset, limit))
        units = [replace(unit, run=unit.run.removeprefix(self._prefix)) for unit in found.units]
        return UnitPage(units, found.total)

    def types(self, run: str) -> list[str]:
        """The task types of a run's finished units."""
        return self._read(lambda connection: browse.types(connection, self._name(run)))

    def require(self, run: str) -> Counts:
        """Counts of a run. Raises ``data_not_found``, with the runs there are, for one that finished nothing."""
        counts = self.counts(run)
        if not counts.finished:
            raise RestepError(
                "data_not_found", f"no trajectory of {run!r} in the store; it has {', '.join(self.runs()) or 'none'}"
            )
        return counts

    def trajectories(self, run: str | Sequence[str], *, kept: bool | None = None) -> Iterator[Trajectory]:
        """Trajectories of one or more runs by task id, attempt and run: the same order on every database.

        ``kept`` selects those (not) kept for training; None takes all. What is there at the first ``next`` is
        what comes; no transaction stays open in between. Raises ``invalid_trajectory`` for a damaged document.
        """
        runs = [self._name(one) for one in ([run] if isinstance(run, str) else run)]
        query = select(Episode.number).where(Episode.run.in_(runs))
        if kept is not None:
            query = query.where(Episode.kept == kept)
        query = query.order_by(Episode.task_id, Episode.attempt, Episode.run)
        numbers = self._read(lambda connection: connection.execute(query).scalars().all())
        for start in range(0, len(numbers), _READ_AT_ONCE):
            yield from self._documents(numbers[start : start + _READ_AT_ONCE])

    def trajectory(self, run: str, task_id: str, attempt: int = 0) -> Trajectory | None:
        """The trajectory of one unit, or None when the unit is not finished."""
        query = select(Episode.number).filter_by(run=self._name(run), task_id=task_id, attempt=attempt)
        number = self._read(lambda connection: connection.execute(query).scalar())
        return None if number is None else self._documents([number])[0]

    def _documents(self, numbers: Sequence[int]) -> list[Trajectory]:
        query = select(Episode.number, Episode.document).where(Episode.number.in_(numbers))
        rows = self._read(lambda connection: connection.execute(query).all())
        documents = {row.number: row.document for row in rows}
        return [load_trajectory(documents[number]) for number in numbers]

    def _read(self, work: Callable[[Connection], _Result]) -> _Result:
        return self._database.read(work)

    def _name(self, run: str) -> str:
        """What a run is called in the database."""
        return f"{self._prefix}{run}"

    # --- files -------------------------------------------------------------------------------------------------

    def export_jsonl(self, run: str | Sequence[str], path: str | Path, *, kept: bool | None = True) -> int:
        """See :func:`shared.store.jsonl.export_jsonl`."""
        return export_jsonl(self, run, Path(path), kept=kept)

    def import_jsonl(self, path: str | Path, run: str, *, kept: bool = True) -> Imported:
        """See :func:`shared.store.jsonl.import_jsonl`."""
        return import_jsonl(self, Path(path), run, kept=kept)


def _row(trajectory: Trajectory, attempt: int, kept: bool) -> dict[str, Any]:
    """The columns of a unit; a document that :func:`load_trajectory` would refuse is refused here, not after training."""
    try:
        document = trajectory.dumps().decode()
        sound = trajectory.id == trajectory.content_hash()
    except orjson.JSONEncodeError as error:
        raise RestepError("invalid_trajectory", f"{trajectory.task.id}: not expressible as JSON: {error}") from None
    if not sound:
        raise RestepError("invalid_trajectory", f"{trajectory.task.id}: id {trajectory.id!r} does not match the content")
    return {
        "run": trajectory.run,
        "task_id": trajectory.task.id,
        "attempt": attempt,
        "kept": kept,
        "trajectory_id": trajectory.id,
        "split": trajectory.task.split,
        "type": trajectory.task.type,
        "success": trajectory.outcome.success,
        "score": trajectory.outcome.score,
        "steps": trajectory.outcome.steps,
        "ended": trajectory.outcome.ended,
        "created": trajectory.created,
        "document": document,
    }


def _storable(text: str) -> str:
    """Text of unknown origin as every database takes it: no half characters, no NUL."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _same_unit() -> ColumnElement[bool]:
    return and_(Episode.run == FailedUnit.run, Episode.task_id == FailedUnit.task_id, Episode.attempt == FailedUnit.attempt)


def _contents(connection: Connection, run: str) -> tuple[Counter[str], dict[str, int]]:
    """How often each trajectory is in a run, and the next free attempt of each task."""
    present: Counter[str] = Counter()
    free: dict[str, int] = {}
    rows = connection.execute(select(Episode.trajectory_id, Episode.task_id, Episode.attempt).where(Episode.run == run))
    for trajectory_id, task_id, attempt in rows:
        present[trajectory_id] += 1
        free[task_id] = max(free.get(task_id, 0), attempt + 1)
    return present, free
