"""The store's tables.

One code for SQLite and PostgreSQL: documents are plain JSON text, and ids sort by code point on both. What is written
here is the newest layout; how a database gets there from any older one is in :mod:`shared.store.migrations`.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Float, Index, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

STORE_VERSION: Final = 3
"""The layout below: the number of the newest migration."""

# PostgreSQL sorts text by locale unless told otherwise; the order of training data must not depend on one.
_Sorted = Text().with_variant(Text(collation="C"), "postgresql")


class Base(DeclarativeBase):
    """All tables of the store."""


class StoreVersion(Base):
    """One row: the layout this database has, which an older restep refuses by."""

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
    score: Mapped[float] = mapped_column(Float)
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


class PlannedUnit(Base):
    """A unit that is to do, and who does it: the lease holds while the clock is within ``seconds`` of ``renewed``."""

    __tablename__ = "restep_units"
    run: Mapped[str] = mapped_column(_Sorted, primary_key=True)
    task_id: Mapped[str] = mapped_column(_Sorted, primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int]
    owner: Mapped[str | None] = mapped_column(Text)
    renewed: Mapped[float | None] = mapped_column(Float)
    seconds: Mapped[float | None] = mapped_column(Float)
    __table_args__ = (
        Index("restep_units_by_position", "run", "position"),
        Index("restep_units_by_owner", "run", "owner"),
    )


class Experiment(Base):
    """An experiment by its name, with the recipe that began it."""

    __tablename__ = "restep_experiments"
    name: Mapped[str] = mapped_column(_Sorted, primary_key=True)
    recipe: Mapped[str] = mapped_column(Text)
    begun: Mapped[str] = mapped_column(Text)


class BookedRequest(Base):
    """Something that a model was asked, or what became of it, and what it cost: a line in the books of ``run``.

    ``event`` is its own, so that a line written again, because nobody heard that it was, stays one line. ``number`` grows
    within a run in the order in which lines become visible.
    """

    __tablename__ = "restep_requests"
    number: Mapped[int] = mapped_column(primary_key=True)
    event: Mapped[str] = mapped_column(Text)
    run: Mapped[str] = mapped_column(_Sorted)
    at: Mapped[float] = mapped_column(Float)
    collection: Mapped[str] = mapped_column(_Sorted)
    call: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(_Sorted)
    cause: Mapped[str] = mapped_column(_Sorted)
    prompt_tokens: Mapped[int] = mapped_column(BigInteger)
    completion_tokens: Mapped[int] = mapped_column(BigInteger)
    cost: Mapped[float] = mapped_column(Float)
    __table_args__ = (UniqueConstraint("event"), Index("restep_requests_by_number", "run", "number"))


class KnownAnswer(Base):
    """What a model answered to a question of a run; ``key`` is the question's hash."""

    __tablename__ = "restep_answers"
    run: Mapped[str] = mapped_column(_Sorted, primary_key=True)
    key: Mapped[str] = mapped_column(_Sorted, primary_key=True)
    answer: Mapped[str] = mapped_column(Text)
