"""Units of work that any number of processes on any machines share: planned once, each leased to one owner at a time.

A planned unit is a row that its end removes, in the transaction that stores its episode. An owner that dies stops
renewing, and its units are free again: at once where its machine sees that it died, elsewhere when the lease runs out.
An owner whose unit was taken over by another can neither finish nor fail it any more; that a unit is finished once
does not rest on this, but on its key among the episodes, so a lease may be lost to a clock that jumps and cost an
episode played twice, but never one that is stored twice or not at all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    true,
    tuple_,
    update,
)

from shared.errors import RestepError
from shared.store.database import Database
from shared.store.owner import has_died
from shared.store.schema import Episode, FailedUnit, PlannedUnit

UnitKey = tuple[str, int]
"""A unit of a run: task id and attempt."""

_KEYS_AT_ONCE: Final = 400
"""Rows in one statement: databases bound the number of its parameters."""
_KEY: Final = tuple_(PlannedUnit.task_id, PlannedUnit.attempt)


def plan(database: Database, run: str, units: Sequence[UnitKey]) -> int:
    """Make ``units``, in their order, the work of a run; returns how many of them are unfinished.

    What is finished or planned already stays as it is, and what was planned before and is not among them is no work any
    more. Raises ``invalid_recipe`` where another process is at work on such a unit.
    """
    wanted = {unit: position for position, unit in enumerate(units)}

    def work(connection: Connection) -> int:
        database.alone(connection, run)  # one plan of a run at a time
        # In this order: a unit that is finished in between is still seen as planned, or seen as finished.
        planned = {(row.task_id, row.attempt): row for row in connection.execute(_planned(database, run))}
        episodes = select(Episode.task_id, Episode.attempt).where(Episode.run == run)
        finished = {(task_id, attempt) for task_id, attempt in connection.execute(episodes)}
        foreign = [unit for unit in planned if unit not in wanted]
        for unit in foreign:
            if planned[unit].held and not has_died(planned[unit].owner):
                raise RestepError("invalid_recipe", f"another process works on other units of {run!r}: {unit[0]}, {unit[1]}")
        for some in _chunks([*foreign, *(planned.keys() & finished)]):
            connection.execute(delete(PlannedUnit).where(PlannedUnit.run == run, _KEY.in_(some)))
        unfinished = [unit for unit in wanted if unit not in finished]
        for some in _chunks([unit for unit in unfinished if unit not in planned]):
            rows = [{"run": run, "task_id": unit[0], "attempt": unit[1], "position": wanted[unit]} for unit in some]
            connection.execute(insert(PlannedUnit), rows)
        return len(unfinished)

    return database.write(work)


def claim(database: Database, run: str, owner: str, limit: int, seconds: float, tries: int | None = None) -> list[UnitKey]:
    """Lease the first ``limit`` planned units that nobody holds to ``owner``, for ``seconds`` from now.

    Units that failed ``tries`` times are left out. Two owners never get the same unit while a lease of it holds.
    """

    def work(connection: Connection) -> list[UnitKey]:
        now = database.now()
        free = or_(PlannedUnit.owner.is_(None), PlannedUnit.owner.in_(_dead(connection, run)), ~_holds(now))
        query = select(PlannedUnit.task_id, PlannedUnit.attempt).where(PlannedUnit.run == run, free, _worth_trying(tries))
        query = query.order_by(PlannedUnit.position, PlannedUnit.task_id, PlannedUnit.attempt).limit(limit)
        units = _keys(connection.execute(query.with_for_update(skip_locked=True)).all())
        lease = {"owner": owner, "renewed": now, "seconds": seconds}
        for some in _chunks(units):
            connection.execute(update(PlannedUnit).where(PlannedUnit.run == run, _KEY.in_(some)).values(lease))
        return units

    return database.write(work) if limit > 0 else []


def renew(database: Database, run: str, owner: str, units: Collection[UnitKey], seconds: float) -> set[UnitKey]:
    """Begin the leases of ``units`` anew; returns those that ``owner`` still has."""

    def work(connection: Connection) -> set[UnitKey]:
        again = update(PlannedUnit).where(PlannedUnit.run == run, PlannedUnit.owner == owner)
        again = again.values(renewed=database.now(), seconds=seconds).returning(PlannedUnit.task_id, PlannedUnit.attempt)
        return {unit for some in _chunks(list(units)) for unit in _keys(connection.execute(again.where(_KEY.in_(some))).all())}

    return database.write(work) if units else set()


def release(database: Database, run: str, owner: str) -> None:
    """Free whatever ``owner`` holds of a run."""
    free = update(PlannedUnit).where(PlannedUnit.run == run, PlannedUnit.owner == owner)
    database.write(lambda connection: connection.execute(free.values(owner=None, renewed=None, seconds=None)) and None)


def unfinished(database: Database, run: str, tries: int | None = None) -> int:
    """Planned units that are not finished, whoever holds them; those that failed ``tries`` times are not counted."""
    query = select(func.count()).select_from(PlannedUnit).where(PlannedUnit.run == run, _worth_trying(tries))
    return database.read(lambda connection: connection.execute(query).scalar_one())


def end_finished(connection: Connection, unit: dict[str, Any], owner: str | None) -> bool:
    """Take a unit out of the plan. False, and nothing is changed, where ``owner`` is given and does not hold it."""
    query = delete(PlannedUnit).filter_by(**unit)
    if owner is None:
        connection.execute(query)
        return True
    return connection.execute(query.where(PlannedUnit.owner == owner)).rowcount > 0


def end_failed(connection: Connection, unit: dict[str, Any], owner: str | None) -> bool:
    """Free a unit, to be tried again after all others. False where ``owner`` is given and does not hold it."""
    last = select(func.max(PlannedUnit.position) + 1).where(PlannedUnit.run == unit["run"]).scalar_subquery()
    query = update(PlannedUnit).filter_by(**unit).values(owner=None, renewed=None, seconds=None, position=last)
    if owner is None:
        connection.execute(query)
        return True
    return connection.execute(query.where(PlannedUnit.owner == owner)).rowcount > 0


def _holds(now: ColumnElement[float]) -> ColumnElement[bool]:
    """Whether a lease holds. A clock that was put back far ends it as well, or it might hold for ever."""
    return func.abs(now - PlannedUnit.renewed) < PlannedUnit.seconds


def _worth_trying(tries: int | None) -> ColumnElement[bool]:
    if tries is None:
        return true()
    failed = and_(
        FailedUnit.run == PlannedUnit.run,
        FailedUnit.task_id == PlannedUnit.task_id,
        FailedUnit.attempt == PlannedUnit.attempt,
    )
    return ~exists().where(failed, FailedUnit.tries >= tries)


def _dead(connection: Connection, run: str) -> list[str]:
    owners = select(PlannedUnit.owner).where(PlannedUnit.run == run, PlannedUnit.owner.is_not(None)).distinct()
    return [owner for owner in connection.execute(owners).scalars() if owner is not None and has_died(owner)]


def _planned(database: Database, run: str) -> Any:
    held = and_(PlannedUnit.owner.is_not(None), _holds(database.now())).label("held")
    return select(PlannedUnit.task_id, PlannedUnit.attempt, PlannedUnit.owner, held).where(PlannedUnit.run == run)


def _keys(rows: Iterable[Any]) -> list[UnitKey]:
    return [(row.task_id, row.attempt) for row in rows]


def _chunks(units: Sequence[UnitKey]) -> Iterator[Sequence[UnitKey]]:
    return (units[start : start + _KEYS_AT_ONCE] for start in range(0, len(units), _KEYS_AT_ONCE))
