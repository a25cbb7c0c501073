"""How Alembic runs the scripts: on the connection, and in the transaction, that it is handed."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], version_table="restep_migrations")
context.run_migrations()
