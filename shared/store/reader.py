"""A store opened to look into: nothing is created, migrated, locked or written, whoever works on it meanwhile.

SQLite is opened read-only, so its writers never wait for a reader; PostgreSQL is told that the session only reads.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

from sqlalchemy import URL, Engine, create_engine, func, select
from sqlalchemy.pool import NullPool

from shared.errors import RestepError
from shared.store.engines import postgresql_engine, store_errors
from shared.store.migration import check_layout
from shared.store.schema import StoreVersion

_SECONDS: Final = 5.0
"""How long reading may wait for a database."""


def open_reader(url: URL) -> Engine:
    """Connect and check the version. Raises ``data_not_found`` for a file that is not there, ``store_failed``."""
    where = url.render_as_string(hide_password=True)
    if url.get_backend_name() == "sqlite":
        engine = _open_sqlite(Path(str(url.database)))
    else:
        with store_errors(where):
            engine = postgresql_engine(url, read_only=True)
    try:
        with store_errors(where), engine.connect() as connection:
            version = connection.execute(select(func.max(StoreVersion.version))).scalar()
        check_layout(where, version)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _open_sqlite(path: Path) -> Engine:
    if not path.is_file():
        raise RestepError("data_not_found", f"there is no store {path}")

    def connect() -> sqlite3.Connection:
        # A store nobody has open is read as it lies: the files that WAL shares would be made here, and belong to this user.
        at_work = path.with_name(f"{path.name}-wal").exists()
        return _read_only(path, "mode=ro" if at_work else "mode=ro&immutable=1")

    return create_engine("sqlite://", creator=connect, poolclass=NullPool)


def _read_only(path: Path, how: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(str(path.resolve()))}?{how}", uri=True, timeout=_SECONDS, check_same_thread=False
    )
    try:
        # A file from elsewhere may hold views and triggers: none of them is trusted.
        for pragma in ("query_only=ON", "trusted_schema=OFF"):
            connection.execute(f"PRAGMA {pragma}")
        with closing(connection.execute("SELECT name FROM sqlite_master LIMIT 1")) as names:
            names.fetchone()
    except BaseException:
        connection.close()
        raise
    return connection
