"""Units of work with leases, and the recipes that began the experiments of a shared store."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "layout_2"
down_revision = "layout_1"

_SORTED = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """From layout 1."""
    op.create_table(
        "restep_units",
        sa.Column("run", _SORTED, primary_key=True),
        sa.Column("task_id", _SORTED, primary_key=True),
        sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("renewed", sa.Float),
        sa.Column("seconds", sa.Float),
    )
    op.create_index("restep_units_by_position", "restep_units", ["run", "position"])
    op.create_index("restep_units_by_owner", "restep_units", ["run", "owner"])
    op.create_table(
        "restep_experiments",
        sa.Column("name", _SORTED, primary_key=True),
        sa.Column("recipe", sa.Text, nullable=False),
        sa.Column("begun", sa.Text, nullable=False),
    )
