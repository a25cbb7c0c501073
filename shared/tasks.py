"""Tasks held in memory in their order, selected by split and type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from shared.errors import RestepError
from shared.protocol import TaskInfo


class TaskSet:
    """Tasks by id. A selection is made once and given out again: it must not be changed."""

    def __init__(self, tasks: Iterable[TaskInfo]) -> None:
        self._tasks = {task.id: task for task in tasks}
        self._splits = dict(Counter(task.split for task in self._tasks.values()))
        self._types = frozenset(task.type for task in self._tasks.values())
        self._selected: dict[tuple[str | None, str | None], list[TaskInfo]] = {}

    def splits(self) -> dict[str, int]:
        """Splits to their number of tasks, in order."""
        return dict(self._splits)

    def select(self, split: str | None, type: str | None) -> Sequence[TaskInfo]:
        """Tasks of a split and a type, in order. Raises ``unknown_split``."""
        if split is not None and split not in self._splits:
            raise RestepError("unknown_split", f"no split {split!r}; there are {', '.join(self._splits) or 'none'}")
        if type is not None and type not in self._types:
            return []
        key = (split, type)
        if key not in self._selected:
            self._selected[key] = [
                task for task in self._tasks.values() if split in (None, task.split) and type in (None, task.type)
            ]
        return self._selected[key]

    def get(self, task_id: str) -> TaskInfo | None:
        """One task, where there is one."""
        return self._tasks.get(task_id)
