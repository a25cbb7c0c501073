"""What is known of all games without opening one: ids, goals, digests. Every library answers from it.

Reading thousands of files to list tasks takes many seconds, so whoever makes games also writes down their index.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.alfworld.game_file import task_type
from shared.errors import RestepError
from shared.protocol import TaskInfo
from shared.tasks import TaskSet

SPLITS: Final = (
    "train",
    "valid_seen",
    "valid_unseen",
    "valid_train",
    "embedded_train",
    "embedded_seen",
    "embedded_unseen",
)
"""The splits there may be, in the order they are listed; others follow by name."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One game: ``goal`` is its task sentence, ``digest`` that of :func:`services.alfworld.game_file.digest`.

    A game that cannot be read has neither, and ``damage`` says why: it stays listed, so that tasks keep their order.
    """

    task_id: str
    goal: str
    digest: str
    damage: str = ""

    def task(self) -> TaskInfo:
        """As the protocol shows it."""
        split = self.task_id.split("/", 1)[0]
        return TaskInfo.model_construct(id=self.task_id, split=split, type=task_type(self.task_id), goal=self.goal)


class Index:
    """The games of one or several sources, sorted by split and id."""

    def __init__(self, entries: Iterable[Entry], left_out: Mapping[str, str] | None = None) -> None:
        """``left_out`` maps ids of folders that are no games to the reason. Raises ``data_corrupt`` for an id met twice."""
        self.left_out = dict(left_out or {})
        self.entries: dict[str, Entry] = {}
        for entry in sorted(entries, key=_order):
            if entry.task_id in self.entries:
                raise RestepError("data_corrupt", f"game {entry.task_id} is there twice")
            self.entries[entry.task_id] = entry
        self._tasks = TaskSet(entry.task() for entry in self.entries.values())

    def splits(self) -> dict[str, int]:
        """Splits to their number of tasks, in the order of :data:`SPLITS`."""
        return self._tasks.splits()

    def select(self, split: str | None, type: str | None) -> Sequence[TaskInfo]:
        """Tasks of a split and a type, sorted by split and id. Raises ``unknown_split``."""
        return self._tasks.select(split, type)

    def task(self, task_id: str) -> TaskInfo:
        """One task. Raises ``unknown_task`` with the reason."""
        found = self._tasks.get(task_id)
        if found is None:
            raise RestepError("unknown_task", f"no task {task_id!r}{self._why(task_id)}")
        return found

    def data_version(self) -> str:
        """First 16 hex digits of a SHA-256 over ids and digests in order."""
        lines = "".join(f"{entry.task_id} {entry.digest}\n" for entry in self.entries.values())
        return hashlib.sha256(lines.encode()).hexdigest()[:16]

    def _why(self, task_id: str) -> str:
        if task_id in self.left_out:
            return f": {self.left_out[task_id]}"
        if task_id.count("/") != 2:
            return "; a task is '<split>/<task folder>/<trial folder>'"
        split = task_id.split("/", 1)[0]
        splits = self.splits()
        return "" if split in splits else f"; there are the splits {', '.join(splits) or 'none'}"


def _order(entry: Entry) -> tuple[int, str]:
    split = entry.task_id.split("/", 1)[0]
    return (SPLITS.index(split) if split in SPLITS else len(SPLITS), entry.task_id)
