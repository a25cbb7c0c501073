"""Where finished episodes are kept: :class:`TrajectoryStore` over SQLite or PostgreSQL."""

from shared.store.browse import Counts, Summary, Unit, UnitPage, Wanted
from shared.store.jsonl import Imported
from shared.store.schema import STORE_VERSION
from shared.store.store import Failure, TrajectoryStore

__all__ = ["STORE_VERSION", "Counts", "Failure", "Imported", "Summary", "TrajectoryStore", "Unit", "UnitPage", "Wanted"]
