"""Where finished episodes are kept, and who plays which next: :class:`TrajectoryStore` over SQLite or PostgreSQL."""

from shared.store.books import Books, Entry, Tally
from shared.store.browse import Counts, Summary, Unit, UnitPage, Wanted
from shared.store.jsonl import Imported
from shared.store.leases import UnitKey
from shared.store.owner import new_owner
from shared.store.schema import STORE_VERSION
from shared.store.store import Failure, TrajectoryStore

__all__ = [
    "STORE_VERSION",
    "Books",
    "Counts",
    "Entry",
    "Failure",
    "Imported",
    "Summary",
    "Tally",
    "TrajectoryStore",
    "Unit",
    "UnitKey",
    "UnitPage",
    "Wanted",
    "new_owner",
]
