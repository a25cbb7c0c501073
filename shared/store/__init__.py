"""Where finished episodes are kept: :class:`TrajectoryStore` over SQLite or PostgreSQL."""

from shared.store.jsonl import Imported
from shared.store.schema import STORE_VERSION
from shared.store.store import Counts, Failure, TrajectoryStore, Unit

__all__ = ["STORE_VERSION", "Counts", "Failure", "Imported", "TrajectoryStore", "Unit"]
