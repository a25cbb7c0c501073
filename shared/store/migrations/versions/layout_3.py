"""The books of models that answer for money, and their answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "layout_3"
down_revision = "layout_2"

_SORTED = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """From layout 2."""
    op.create_table(
        "restep_requests",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("run", _SORTED, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("collection", _SORTED, nullable=False),
        sa.Column("call", sa.Text, nullable=False),
        sa.Column("kind", _SORTED, nullable=False),
        sa.Column("cause", _SORTED, nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger, nullable=False),
        sa.Column("completion_tokens", sa.BigInteger, nullable=False),
        sa.Column("cost", sa.Float, nullable=False),
        sa.UniqueConstraint("event"),
    )
    op.create_index("restep_requests_by_number", "restep_requests", ["run", "number"])
    op.create_table(
        "restep_answers",
        sa.Column("run", _SORTED, primary_key=True),
        sa.Column("key", _SORTED, primary_key=True),
        sa.Column("answer", sa.Text, nullable=False),
    )
