"""One database and its transactions, SQLite or PostgreSQL: the only place that knows what differs between them.

SQLite: write-ahead log, so that readers and one writer work side by side; a writer takes its turn when it begins, not
at its first change. PostgreSQL: a connection that breaks (a restart, a network) is replaced and its transaction made
again for a while, so whatever is written must bear to be written again when the first commit's answer was lost.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from threading import RLock
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, Connection, Float, cast, func, literal, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, OperationalError

from shared.store.address import store_url, without_password
from shared.store.engines import postgresql_engine, sqlite_engine, store_errors
from shared.store.migration import check_layout, migrate, store_layout
from shared.store.reader import open_reader
from shared.store.schema import STORE_VERSION, Base

Result = TypeVar("Result")

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 1.0
_PASSING_STATES: Final = ("08", "57P", "40001", "40P01")
"""SQLSTATE of connections that broke, servers that stop or start, and transactions that lost against another one."""


class Database:
    """A database of the present layout. ``url`` is for people: without the password."""

    def __init__(
        self,
        url_or_path: str | Path,
        *,
        busy_timeout: float,
        patience: float,
        clock: Callable[[], float] | None,
        read_only: bool,
    ) -> None:
        """Raises ``store_failed``, ``missing_extra`` where PostgreSQL's driver is not installed."""
        url = store_url(url_or_path)
        self.url = without_password(url)
        self._sqlite = url.get_backend_name() == "sqlite"
        # SQLite gives a turn to whoever asks at the right moment: where many write, one of them might wait for seconds.
        self._turn: AbstractContextManager[object] = RLock() if self._sqlite else nullcontext()
        self._clock, self._patience = clock, 0.0  # a store that cannot be reached at the start is a mistake
        if read_only:
            self._engine = open_reader(url)
            return
        with store_errors(self.url):
            self._engine = sqlite_engine(url, busy_timeout) if self._sqlite else postgresql_engine(url)
        try:
            if (self.read(store_layout) or 0) < STORE_VERSION:
                self.write(migrate)
            check_layout(self.url, self.read(store_layout))
        except BaseException:
            self._engine.dispose()
            raise
        self._patience = patience

    def close(self) -> None:
        """Close every connection. Idempotent."""
        with store_errors(self.url):
            self._engine.dispose()

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """What ``work`` reads, in one transaction. Raises ``store_failed``."""
        return self._transaction(work, "BEGIN")

    def write(self, work: Callable[[Connection], Result]) -> Result:
        """What ``work`` answers, once everything it wrote is committed. Raises ``store_failed``.

        Where a connection breaks ``work`` is called again, also when its first commit arrived and the answer did not.
        """
        with self._turn:
            return self._transaction(work, "BEGIN IMMEDIATE")

    def _transaction(self, work: Callable[[Connection], Result], begin: str) -> Result:
        deadline, pause = time.monotonic() + self._patience, _FIRST_PAUSE
        with store_errors(self.url):
            while True:
                try:
                    with self._engine.connect().execution_options(restep_begin=begin) as connection, connection.begin():
                        return work(connection)
                except DBAPIError as error:
                    if self._sqlite or not _may_pass(error) or time.monotonic() + pause > deadline:
                        raise
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    def now(self) -> ColumnElement[float]:
        """The time in seconds: PostgreSQL's own, one for all machines; on SQLite that of the machine it lies on."""
        if self._sqlite or self._clock is not None:
            return literal((self._clock or time.time)(), Float)
        return cast(func.extract("epoch", func.clock_timestamp()), Float)

    def alone(self, connection: Connection, name: str) -> None:
        """Wait until no other transaction under this name is under way; on SQLite there is but one writer anyway."""
        if not self._sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})

    def insert_or_leave(self, table: type[Base], values: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Any:
        """Rows to insert where their key is not taken."""
        return self._insert(table).values(values).on_conflict_do_nothing()

    def insert_or_update(self, table: type[Base], values: Mapping[str, Any], changes: Mapping[str, Any]) -> Any:
        """A row to insert, or changes to the one that has its primary key."""
        key = [column.name for column in table.__table__.primary_key]
        return self._insert(table).values(values).on_conflict_do_update(index_elements=key, set_=dict(changes))

    def _insert(self, table: type[Base]) -> postgresql.Insert | sqlite.Insert:
        return sqlite.insert(table) if self._sqlite else postgresql.insert(table)


def _may_pass(error: DBAPIError) -> bool:
    """Whether the same transaction may succeed on another connection, or in a moment."""
    state = getattr(error.orig, "sqlstate", None)
    if state is None:  # it came from no server
        return error.connection_invalidated or isinstance(error, OperationalError)
    return error.connection_invalidated or str(state).startswith(_PASSING_STATES)
