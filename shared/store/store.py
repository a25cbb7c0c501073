"""Finished work, kept so that nothing is done twice and nothing finished is lost.

The unit of work is (run, task, attempt). A finished unit is one row, written in one transaction with its trajectory;
a unit without a row is still to do. So a collector needs no state of its own: it asks :meth:`TrajectoryStore.finished`,
does the rest, and may be killed at any point. Methods block: call them through ``asyncio.to_thread``. A store may be
used by many threads, and one database by many processes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

import orjson
from sqlalchemy import ColumnElement, Connection, and_, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from shared.errors import RestepError
from shared.store import browse
from shared.store.browse import Counts, Summary, Unit, UnitPage, Wanted
from shared.store.jsonl import Imported, export_jsonl, import_jsonl
from shared.store.reader import open_reader
from shared.store.schema import Episode, FailedUnit, open_engine, store_errors, store_url
from shared.trajectory import Trajectory, load_trajectory

_READ_AT_ONCE: Final = 64


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

    def __init__(self, url_or_path: str | Path, *, busy_timeout: float = 30.0, read_only: bool = False) -> None:
        """Open or create a store at a path (SQLite) or a database URL; ``read_only`` creates and changes nothing.

        ``busy_timeout``: seconds that a write to SQLite waits for other writers.
        """
        url = store_url(url_or_path)
        self.url = url.render_as_string(hide_password=True)
        self._engine = open_reader(url) if read_only else open_engine(url, busy_timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection. Idempotent."""
        with store_errors(self.url):
            self._engine.dispose()

    # --- writing -----------------------------------------------------------------------------------------------

    def commit(self, trajectory: Trajectory, *, attempt: int = 0, kept: bool) -> bool:
        """Finish a unit: True when it is stored now, False when it already was (the first stays).

        ``kept`` says whether the trajectory is for training. Raises ``invalid_trajectory`` for one that could not
        be read back.
        """
        row = _row(trajectory, attempt, kept)
        try:
            with self._write() as connection:
                connection.execute(insert(Episode).values(row))
        except IntegrityError as error:
            if (trajectory.task.id, attempt) in self.finished(trajectory.run):
                return False
            raise RestepError("store_failed", f"{self.url}: {error.orig}") from error
        return True

    def commit_all(self, trajectories: Iterator[Trajectory], run: str, *, kept: bool) -> tuple[int, int]:
        """Add trajectories to a run, all or none; returns how many were added and how many were there already.

        The same content is not added again; each new one takes the next free attempt of its task.
        """
        with self._write() as connection:
            present, attempts = _contents(connection, run)
            added = skipped = 0
            for trajectory in trajectories:
                if present[trajectory.id]:
                    present[trajectory.id] -= 1
                    skipped += 1
                    continue
                attempt = attempts.get(trajectory.task.id, 0)
                attempts[trajectory.task.id] = attempt + 1
                row = _row(trajectory.model_copy(update={"run": run}), attempt, kept)
                connection.execute(insert(Episode).values(row))
                added += 1
        return added, skipped

    def fail(self, run: str, task_id: str, attempt: int, error: RestepError) -> None:
        """Record that a unit failed, with the cause; a repeated failure is counted and the last cause stays."""
        unit = {"run": run, "task_id": task_id, "attempt": attempt}
        now = datetime.now(UTC).isoformat(timespec="seconds")
        cause = {"code": error.code, "detail": _storable(error.detail), "last_failed": now}
        again = update(FailedUnit).filter_by(**unit).values(tries=FailedUnit.tries + 1, **cause)
        try:
            with self._write() as connection:
                if connection.execute(again).rowcount == 0:
                    connection.execute(insert(FailedUnit).values(tries=1, first_failed=now, **unit, **cause))
        except IntegrityError:
            # Another process recorded the first failure of this unit in between.
            with self._write() as connection:
                connection.execute(again)

    # --- reading -----------------------------------------------------------------------------------------------

    def finished(self, run: str) -> set[tuple[str, int]]:
        """(task id, attempt) of every finished unit of a run; what is absent is to do."""
        with self._read() as connection:
            rows = connection.execute(select(Episode.task_id, Episode.attempt).where(Episode.run == run))
            return {(task_id, attempt) for task_id, attempt in rows}

    def units(self, run: str) -> list[Unit]:
        """Every finished unit of a run without its trajectory, by task id and attempt."""
        columns = [getattr(Episode, field.name) for field in fields(Unit)]
        query = select(*columns).where(Episode.run == run).order_by(Episode.task_id, Episode.attempt)
        with self._read() as connection:
            return [Unit(**row) for row in connection.execute(query).mappings()]

    def failures(self, run: str) -> list[Failure]:
        """Every unit of a run that ever failed, by task id and attempt."""
        columns = [getattr(FailedUnit, field.name) for field in fields(Failure) if field.name != "resolved"]
        query = select(*columns, Episode.number.is_not(None).label("resolved")).select_from(FailedUnit)
        query = query.outerjoin(Episode, _same_unit()).where(FailedUnit.run == run)
        with self._read() as connection:
            rows = connection.execute(query.order_by(FailedUnit.task_id, FailedUnit.attempt))
            return [Failure(**row) for row in rows.mappings()]

    def counts(self, run: str) -> Counts:
        """How far a run is."""
        finished = select(Episode.kept, Episode.success).where(Episode.run == run)
        failed = select(func.count()).select_from(FailedUnit).outerjoin(Episode, _same_unit())
        failed = failed.where(FailedUnit.run == run, Episode.number.is_(None))
        with self._read() as connection:
            flags = [(kept, success) for kept, success in connection.execute(finished)]
            failures = connection.execute(failed).scalar_one()
        return Counts(len(flags), sum(kept for kept, _ in flags), sum(success for _, success in flags), failures)

    def runs(self) -> list[str]:
        """Every run that finished or failed at something, in order of name."""
        query = select(Episode.run).union(select(FailedUnit.run))
        with self._read() as connection:
            return sorted(connection.execute(query).scalars())

    def summaries(self, before: str = "") -> dict[str, Summary]:
        """How far every run is whose name begins with ``before``, in order of name."""
        with self._read() as connection:
            return browse.summaries(connection, before)

    def page(self, runs: Sequence[str], wanted: Wanted | None = None, *, offset: int = 0, limit: int = 100) -> UnitPage:
        """Finished units of runs without their trajectories, by task id, attempt and run: those from ``offset`` on."""
        with self._read() as connection:
            return browse.page(connection, runs, wanted or Wanted(), offset, limit)

    def types(self, run: str) -> list[str]:
        """The task types of a run's finished units."""
        with self._read() as connection:
            return browse.types(connection, run)

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
        runs = [run] if isinstance(run, str) else list(run)
        query = select(Episode.number).where(Episode.run.in_(runs))
        if kept is not None:
            query = query.where(Episode.kept == kept)
        with self._read() as connection:
            numbers = list(connection.execute(query.order_by(Episode.task_id, Episode.attempt, Episode.run)).scalars())
        for start in range(0, len(numbers), _READ_AT_ONCE):
            yield from self._documents(numbers[start : start + _READ_AT_ONCE])

    def trajectory(self, run: str, task_id: str, attempt: int = 0) -> Trajectory | None:
        """The trajectory of one unit, or None when the unit is not finished."""
        query = select(Episode.number).filter_by(run=run, task_id=task_id, attempt=attempt)
        with self._read() as connection:
            number = connection.execute(query).scalar()
        return None if number is None else self._documents([number])[0]

    def _documents(self, numbers: Sequence[int]) -> list[Trajectory]:
        query = select(Episode.number, Episode.document).where(Episode.number.in_(numbers))
        with self._read() as connection:
            documents = {row.number: row.document for row in connection.execute(query)}
        return [load_trajectory(documents[number]) for number in numbers]

    # --- files -------------------------------------------------------------------------------------------------

    def export_jsonl(self, run: str | Sequence[str], path: str | Path, *, kept: bool | None = True) -> int:
        """See :func:`shared.store.jsonl.export_jsonl`."""
        return export_jsonl(self, run, Path(path), kept=kept)

    def import_jsonl(self, path: str | Path, run: str, *, kept: bool = True) -> Imported:
        """See :func:`shared.store.jsonl.import_jsonl`."""
        return import_jsonl(self, Path(path), run, kept=kept)

    @contextmanager
    def _write(self) -> Generator[Connection]:
        """A transaction. IntegrityError passes: what a taken key means is the caller's to say."""
        with store_errors(self.url, passing=IntegrityError), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _read(self) -> Generator[Connection]:
        with store_errors(self.url), self._engine.connect() as connection:
            yield connection


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
