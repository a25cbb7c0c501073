"""Episodes and failures. Stores of this layout were made before there were migrations, and a kill may have left one
half made, so only what is missing is created.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "layout_1"
down_revision = None

_SORTED = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """From nothing."""
    version = sa.Column("version", sa.Integer, primary_key=True, autoincrement=False)
    op.create_table("restep_store", version, if_not_exists=True)
    op.create_table(
        "restep_episodes",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("run", _SORTED, nullable=False),
        sa.Column("task_id", _SORTED, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("kept", sa.Boolean, nullable=False),
        sa.Column("trajectory_id", _SORTED, nullable=False),
        sa.Column("split", _SORTED, nullable=False),
        sa.Column("type", _SORTED, nullable=False),
        sa.Column("success", sa.Boolean, nullable=False),
        sa.Column("score", sa.Float, nullable=False),
        sa.Column("steps", sa.Integer, nullable=False),
        sa.Column("ended", sa.Text, nullable=False),
        sa.Column("created", sa.Text, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.UniqueConstraint("run", "task_id", "attempt"),
        if_not_exists=True,
    )
    op.create_index("restep_episodes_by_id", "restep_episodes", ["trajectory_id"], if_not_exists=True)
    op.create_table(
        "restep_failures",
        sa.Column("run", _SORTED, primary_key=True),
        sa.Column("task_id", _SORTED, primary_key=True),
        sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("first_failed", sa.Text, nullable=False),
        sa.Column("last_failed", sa.Text, nullable=False),
        if_not_exists=True,
    )
