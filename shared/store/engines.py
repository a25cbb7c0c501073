"""How SQLite and PostgreSQL are connected to, and what is said when that, or anything after it, fails."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from shared.errors import RestepError

_CONNECTION: Final = {
    "connect_timeout": 10,
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}
"""So that a server that vanished without a word is noticed; seconds, and milliseconds, where the URL does not say
otherwise."""
_IDLE_IN_TRANSACTION: Final = "60s"
"""A client that vanished in a transaction must not keep the rows it locked."""


@contextmanager
def store_errors(where: str) -> Generator[None]:
    """Turn every failure of the database into ``store_failed``, in one line that names the store."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise RestepError("missing_extra", f"{error.name} is not installed; pip install 'restep[postgres]'") from None
    except (SQLAlchemyError, OSError) as error:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        line = " ".join(str(cause).split()) or type(cause).__name__
        raise RestepError("store_failed", f"{where}: {line}") from error


def sqlite_engine(url: URL, busy_timeout: float) -> Engine:
    """Of a file. ``busy_timeout``: seconds that a write waits for other writers."""
    engine = create_engine(url, connect_args={"timeout": busy_timeout})
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _record: object) -> None:
    """WAL lets readers and one writer work side by side; FULL makes a commit survive a power cut too."""
    connection.isolation_level = None  # transactions begin where _begin_sqlite says so, changes of the layout included
    cursor = connection.cursor()
    try:
        if cursor.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
    finally:
        cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options()["restep_begin"])


def postgresql_engine(url: URL, *, read_only: bool = False) -> Engine:
    """Of a server's database."""
    arguments = {name: value for name, value in _CONNECTION.items() if name not in url.query}
    options = {"postgresql_readonly": read_only}
    engine = create_engine(url, connect_args=arguments, pool_pre_ping=True, execution_options=options)
    event.listen(engine, "connect", _set_up_postgresql)
    return engine


def _set_up_postgresql(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET idle_in_transaction_session_timeout = '{_IDLE_IN_TRANSACTION}'")
    connection.commit()
