"""The store's tables and how its database is opened.

One code for SQLite and PostgreSQL: documents are plain JSON text, ids sort by code point on both, and nothing below
uses the SQL of one of them. What SQLite needs to survive a kill and several writers is set per connection here.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Engine, Index, Table, Text, UniqueConstraint, create_engine, event, func, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.schema import CreateIndex, CreateTable

from shared.errors import RestepError

STORE_VERSION: Final = 1

# PostgreSQL sorts text by locale unless told otherwise; the order of training data must not depend on one.
_Sorted = Text().with_variant(Text(collation="C"), "postgresql")


class Base(DeclarativeBase):
    """All tables of the store."""


class StoreVersion(Base):
    """One row: the layout this database was made with."""

    __tablename__ = "restep_store"
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class Episode(Base):
    """A finished unit of work with its trajectory; one row, so that neither can exist without the other."""

    __tablename__ = "restep_episodes"
    number: Mapped[int] = mapped_column(primary_key=True)
    run: Mapped[str] = mapped_column(_Sorted)
    task_id: Mapped[str] = mapped_column(_Sorted)
    attempt: Mapped[int]
    kept: Mapped[bool]
    trajectory_id: Mapped[str] = mapped_column(_Sorted)
    split: Mapped[str] = mapped_column(_Sorted)
    type: Mapped[str] = mapped_column(_Sorted)
    success: Mapped[bool]
    score: Mapped[float]
    steps: Mapped[int]
    ended: Mapped[str] = mapped_column(Text)
    created: Mapped[str] = mapped_column(Text)
    document: Mapped[str] = mapped_column(Text)
    __table_args__ = (UniqueConstraint("run", "task_id", "attempt"), Index("restep_episodes_by_id", "trajectory_id"))


class FailedUnit(Base):
    """A unit of work that failed: its last cause and how often it was tried."""

    __tablename__ = "restep_failures"
    run: Mapped[str] = mapped_column(_Sorted, primary_key=True)
    task_id: Mapped[str] = mapped_column(_Sorted, primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    code: Mapped[str] = mapped_column(Text)
    detail: Mapped[str] = mapped_column(Text)
    tries: Mapped[int]
    first_failed: Mapped[str] = mapped_column(Text)
    last_failed: Mapped[str] = mapped_column(Text)


@contextmanager
def store_errors(where: str, passing: type[SQLAlchemyError] | tuple[()] = ()) -> Generator[None]:
    """Turn every failure of the database but ``passing`` into ``store_failed``, in one line that names the store."""
    try:
        yield
    except passing:
        raise
    except (SQLAlchemyError, OSError, ImportError) as error:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        line = " ".join(str(cause).split()) or type(cause).__name__
        raise RestepError("store_failed", f"{where}: {line}") from error


def store_url(url_or_path: str | Path) -> URL:
    """A database URL as it is, a path as SQLite. Raises ``store_failed`` where nothing could be kept."""
    text = str(url_or_path)
    try:
        url = make_url(text) if "://" in text else URL.create("sqlite", database=text)
        url.get_dialect()
    except (ArgumentError, NoSuchModuleError) as error:
        raise RestepError("store_failed", f"no database URL: {' '.join(str(error).split())}") from None
    if url.get_backend_name() != "sqlite":
        return url
    if url.database in (None, "", ":memory:"):
        raise RestepError("store_failed", "an in-memory store would be lost with the process; give a file")
    path = Path(str(url.database))
    if not str(path).startswith("file:"):
        if path.is_dir():
            raise RestepError("store_failed", f"{path} is a folder, not a store")
        if not path.parent.is_dir():
            raise RestepError("store_failed", f"{path}: the folder {path.parent} does not exist")
    return url


def open_engine(url: URL, busy_timeout: float) -> Engine:
    """Connect, create what is missing, and check the version. Raises ``store_failed``."""
    where = url.render_as_string(hide_password=True)
    with store_errors(where):
        sqlite = url.get_backend_name() == "sqlite"
        engine = create_engine(url, connect_args={"timeout": busy_timeout} if sqlite else {}, pool_pre_ping=not sqlite)
        if sqlite:
            event.listen(engine, "connect", _set_up_sqlite)
        try:
            _prepare(engine, where)
        except BaseException:
            engine.dispose()
            raise
    return engine


def _set_up_sqlite(connection: Any, _record: object) -> None:
    """WAL lets readers and one writer work side by side; FULL makes a commit survive a power cut too."""
    cursor = connection.cursor()
    try:
        if cursor.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
    finally:
        cursor.close()


def _prepare(engine: Engine, where: str) -> None:
    """Check the version, then create what is missing; whatever a kill leaves half made, the next opening completes."""
    versions = Base.metadata.tables[StoreVersion.__tablename__]
    _create(engine, versions)
    with engine.connect() as connection:
        version = connection.execute(select(func.max(StoreVersion.version))).scalar()
    if version is None:
        version = STORE_VERSION
        # Losing the race against another process that opens the same new store is as good as winning it.
        with suppress(IntegrityError), engine.begin() as connection:
            connection.execute(versions.insert().values(version=version))
    if version > STORE_VERSION:
        raise RestepError("store_failed", f"{where}: store version {version}; this restep reads {STORE_VERSION}, so upgrade it")
    for table in Base.metadata.sorted_tables:
        _create(engine, table)


def _create(engine: Engine, table: Table) -> None:
    # IF NOT EXISTS is not atomic everywhere: PostgreSQL lets two creators race and tells the second of a taken name.
    with suppress(IntegrityError), engine.begin() as connection:
        connection.execute(CreateTable(table, if_not_exists=True))
        for index in table.indexes:
            connection.execute(CreateIndex(index, if_not_exists=True))
