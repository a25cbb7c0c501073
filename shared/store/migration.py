"""A database brought to the newest layout, by Alembic, in the transaction that found it older.

Many processes may open one new store at once: the first migrates, the others wait for it and find nothing to do.
"""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import Final

from sqlalchemy import Connection, delete, func, insert, inspect, select, text

from shared.errors import RestepError
from shared.store.schema import STORE_VERSION, StoreVersion

MIGRATIONS: Final = Path(__file__).parent / "migrations"
_ADVISORY_LOCK: Final = 0x7265737465700001
"""The word restep: of all advisory locks in a database, the one of its migration."""
_one_at_a_time: Final = Lock()  # Alembic's `op` and `context` are of the whole process


def store_layout(connection: Connection) -> int | None:
    """The layout of what a database holds, or None when it holds no store."""
    if not inspect(connection).has_table(StoreVersion.__tablename__):
        return None
    return connection.execute(select(func.max(StoreVersion.version))).scalar()


def check_layout(where: str, layout: int | None) -> None:
    """Raise ``store_failed`` for a layout that a newer restep made."""
    if layout is not None and layout > STORE_VERSION:
        detail = f"{where}: store version {layout}; this restep reads {STORE_VERSION}, so upgrade it"
        raise RestepError("store_failed", detail)


def migrate(connection: Connection) -> int:
    """Bring an older store, or an empty database, to the newest layout; returns the layout there is then.

    A newer one, which another process may have made in between, is left alone.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
    layout = store_layout(connection)
    if layout is not None and layout >= STORE_VERSION:
        return layout
    _upgrade(connection)
    connection.execute(delete(StoreVersion))
    connection.execute(insert(StoreVersion).values(version=STORE_VERSION))
    return STORE_VERSION


def _upgrade(connection: Connection) -> None:
    from alembic import command  # which most openings do not need
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with _one_at_a_time:
        command.upgrade(config, "head")
