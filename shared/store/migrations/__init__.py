"""Alembic's scripts: how a database gets from any layout of the store to the next."""
