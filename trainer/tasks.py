"""Which tasks a collection or an evaluation works on: a stable choice from what the environment lists."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence

from pydantic import Field

from shared.client import EnvironmentClient
from shared.errors import RestepError
from shared.protocol import TaskInfo
from trainer.options import Options


class TaskSelection(Options):
    """Tasks of a split, thinned out by a hash of their ids: the same choice everywhere, whatever else is listed."""

    split: str = Field(default="train", description="split of the environment")
    types: list[str] = Field(default=[], description="task types; empty takes all")
    per_type: int | None = Field(default=None, ge=1, description="at most so many tasks of each type")
    limit: int | None = Field(default=None, ge=1, description="at most so many tasks in all")
    salt: str = Field(default="tasks", description="another salt, another choice")


async def select_tasks(environment: EnvironmentClient, selection: TaskSelection) -> list[TaskInfo]:
    """The chosen tasks in the environment's order.

    Raises ``unknown_split``, and ``invalid_recipe`` for a type without tasks or a choice that is empty.
    """
    tasks = await environment.tasks(split=selection.split)
    if unknown := sorted(set(selection.types) - {task.type for task in tasks}):
        raise RestepError("invalid_recipe", f"split {selection.split!r} has no tasks of type {', '.join(unknown)}")
    chosen = choose(tasks, selection)
    if not chosen:
        raise RestepError("invalid_recipe", f"split {selection.split!r} has no tasks")
    return chosen


def choose(tasks: Sequence[TaskInfo], selection: TaskSelection) -> list[TaskInfo]:
    """Apply ``types``, ``per_type`` and ``limit``; a larger number keeps what a smaller one chose."""
    by_type: defaultdict[str, list[TaskInfo]] = defaultdict(list)
    for task in sorted(tasks, key=lambda task: _rank(task.id, selection.salt)):
        if not selection.types or task.type in selection.types:
            by_type[task.type].append(task)
    kept = [task for group in by_type.values() for task in group[: selection.per_type]]
    kept.sort(key=lambda task: _rank(task.id, selection.salt))
    ids = {task.id for task in kept[: selection.limit]}
    return [task for task in tasks if task.id in ids]


def _rank(task_id: str, salt: str) -> bytes:
    return hashlib.sha256(f"{salt}\0{task_id}".encode()).digest()
