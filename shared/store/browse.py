"""What a person who looks into a store asks: how far every run is, and which units a page of a list holds.

Counted and cut by the database, because a store may hold more units than a page should wait for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from sqlalchemy import Connection, Integer, and_, cast, func, inspect, select

from shared.store.schema import Episode, FailedUnit, PlannedUnit


@dataclass(frozen=True, slots=True)
class Unit:
    """What is known of a finished unit without reading its trajectory."""

    run: str
    task_id: str
    attempt: int
    kept: bool
    trajectory_id: str
    split: str
    type: str
    success: bool
    score: float
    steps: int
    ended: str
    created: str


@dataclass(frozen=True, slots=True)
class Counts:
    """Finished units of a run, those kept for training, those that reached the goal; units failed and never finished."""

    finished: int
    kept: int
    succeeded: int
    failed: int


@dataclass(frozen=True, slots=True)
class Summary:
    """A run in one line.

    ``latest`` is when the last trajectory was made or the last unit failed, ISO 8601; ``left`` counts planned units.
    """

    counts: Counts
    latest: str = ""
    left: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which units: those where every field that is not None agrees."""

    task_id: str | None = None
    type: str | None = None
    success: bool | None = None
    kept: bool | None = None


@dataclass(frozen=True, slots=True)
class UnitPage:
    """A slice of the units that match, and how many match in all."""

    units: list[Unit]
    total: int


def summaries(connection: Connection, before: str) -> dict[str, Summary]:
    """Every run that planned, finished or failed at something and whose name begins so, in order of name."""
    left = _left(connection, before)
    failed, finished = _failed(connection, before), _finished(connection, before)
    found: dict[str, Summary] = {}
    for run in sorted({*left, *failed, *finished}):
        count, kept, succeeded, latest = finished.get(run, (0, 0, 0, ""))
        failures, last_failed = failed.get(run, (0, ""))
        found[run] = Summary(Counts(count, kept, succeeded, failures), max(latest, last_failed), left.get(run, 0))
    return found


def _finished(connection: Connection, before: str) -> dict[str, tuple[int, int, int, str]]:
    """By run: finished units, those kept, those successful, and when the last was made."""
    kept, succeeded = (func.sum(cast(flag, Integer)) for flag in (Episode.kept, Episode.success))
    query = select(Episode.run, func.count(), kept, succeeded, func.max(Episode.created))
    query = query.where(Episode.run.startswith(before, autoescape=True)).group_by(Episode.run)
    return {run: (count, some, others, latest) for run, count, some, others, latest in connection.execute(query)}


def _failed(connection: Connection, before: str) -> dict[str, tuple[int, str]]:
    """By run: units that failed and never finished, and when the last one did."""
    same = and_(Episode.run == FailedUnit.run, Episode.task_id == FailedUnit.task_id, Episode.attempt == FailedUnit.attempt)
    query = select(FailedUnit.run, func.count(), func.max(FailedUnit.last_failed)).select_from(FailedUnit)
    query = query.outerjoin(Episode, same).where(Episode.number.is_(None))
    query = query.where(FailedUnit.run.startswith(before, autoescape=True)).group_by(FailedUnit.run)
    return {run: (count, latest) for run, count, latest in connection.execute(query)}


def _left(connection: Connection, before: str) -> dict[str, int]:
    """By run: planned units that have not ended. A store of the first layout, which who only reads leaves so, has none."""
    if not inspect(connection).has_table(PlannedUnit.__tablename__):
        return {}
    query = select(PlannedUnit.run, func.count()).where(PlannedUnit.run.startswith(before, autoescape=True))
    return {row[0]: row[1] for row in connection.execute(query.group_by(PlannedUnit.run))}


def page(connection: Connection, runs: Sequence[str], wanted: Wanted, offset: int, limit: int) -> UnitPage:
    """Finished units of runs by task id, attempt and run."""
    conditions = [Episode.run.in_(runs)]
    conditions += [
        getattr(Episode, field.name) == value for field in fields(wanted) if (value := getattr(wanted, field.name)) is not None
    ]
    columns = [getattr(Episode, field.name) for field in fields(Unit)]
    query = select(*columns).where(*conditions).order_by(Episode.task_id, Episode.attempt, Episode.run)
    rows = connection.execute(query.offset(offset).limit(limit)).mappings()
    total = connection.execute(select(func.count()).select_from(Episode).where(*conditions)).scalar_one()
    return UnitPage([Unit(**row) for row in rows], total)


def types(connection: Connection, run: str) -> list[str]:
    """The task types of a run's finished units, sorted."""
    return sorted(connection.execute(select(Episode.type).where(Episode.run == run).distinct()).scalars())
