"""ScienceWorld's 30 tasks, their variations and the benchmark's splits.

The engine tells variations and splits only of a task it has loaded (seconds for all 30), so the table is written
down here; a test compares it with the engine. A split is a run of variations: train first, then dev, then test.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from shared.errors import RestepError
from shared.protocol import SplitInfo, TaskInfo
from shared.tasks import TaskSet

SPLITS: Final = ("train", "dev", "test")

VARIATIONS: Final[dict[str, tuple[int, int, int]]] = {
    "boil": (14, 7, 9),
    "melt": (14, 7, 9),
    "freeze": (14, 7, 9),
    "change-the-state-of-matter-of": (14, 7, 9),
    "use-thermometer": (270, 135, 135),
    "measure-melting-point-known-substance": (218, 109, 109),
    "measure-melting-point-unknown-substance": (150, 75, 75),
    "power-component": (10, 5, 5),
    "power-component-renewable-vs-nonrenewable-energy": (10, 5, 5),
    "test-conductivity": (450, 225, 225),
    "test-conductivity-of-unknown-substances": (300, 150, 150),
    "find-living-thing": (150, 75, 75),
    "find-non-living-thing": (150, 75, 75),
    "find-plant": (150, 75, 75),
    "find-animal": (150, 75, 75),
    "grow-plant": (62, 31, 33),
    "grow-fruit": (62, 31, 33),
    "chemistry-mix": (16, 8, 8),
    "chemistry-mix-paint-secondary-color": (18, 9, 9),
    "chemistry-mix-paint-tertiary-color": (18, 9, 9),
    "lifespan-longest-lived": (62, 31, 32),
    "lifespan-shortest-lived": (62, 31, 32),
    "lifespan-longest-lived-then-shortest-lived": (62, 31, 32),
    "identify-life-stages-1": (6, 3, 5),
    "identify-life-stages-2": (4, 2, 4),
    "inclined-plane-determine-angle": (84, 42, 42),
    "inclined-plane-friction-named-surfaces": (692, 346, 348),
    "inclined-plane-friction-unnamed-surfaces": (80, 40, 42),
    "mendelian-genetics-known-plant": (60, 30, 30),
    "mendelian-genetics-unknown-plant": (240, 120, 120),
}
"""Task name to its numbers of train, dev and test variations, in the benchmark's order of tasks."""

SIMPLIFICATIONS: Final = ("noElectricalAction", "openContainers", "openDoors", "selfWateringFlowerPots", "teleportAction")
EASY: Final = "easy"
"""The benchmark's own bundle: teleportAction, openDoors, selfWateringFlowerPots, and noElectricalAction if the task allows."""
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,8}")


def is_electrical(task: str) -> bool:
    """Whether a task needs wires, so that noElectricalAction would make it impossible."""
    return "power-component" in task or "conductivity" in task


def parse_task_id(task_id: str) -> tuple[str, int]:
    """Task name and variation of ``<task name>/<variation>``. Raises ``unknown_task``."""
    name, _, number = task_id.rpartition("/")
    counts = VARIATIONS.get(name)
    if counts is None or not _NUMBER.fullmatch(number):
        raise RestepError("unknown_task", f"no task {task_id!r}; a task is '<task name>/<variation>', such as 'boil/0'")
    if int(number) >= sum(counts):
        raise RestepError("unknown_task", f"{name!r} has variations 0 to {sum(counts) - 1}, not {number}")
    return name, int(number)


def check_simplification(value: str) -> str:
    """``value`` in canonical form: "", "easy" or labels in alphabetical order. Raises ``invalid_option``."""
    labels = [label.strip() for label in value.split(",") if label.strip()]
    if labels == [EASY] or not labels:
        return "".join(labels)
    known = {label.lower(): label for label in SIMPLIFICATIONS}
    for label in labels:
        if label.lower() not in known:
            raise RestepError(
                "invalid_option",
                f"unknown simplification {label!r}; it is 'easy' alone, or some of {', '.join(SIMPLIFICATIONS)}",
            )
    return ",".join(sorted({known[label.lower()] for label in labels}))


class TaskTable:
    """All tasks as the protocol shows them. Goals are empty: they depend on the engine, and a session carries its own."""

    def __init__(self) -> None:
        self._tasks = TaskSet(
            TaskInfo.model_construct(id=f"{name}/{variation}", split=split, type=name, goal="")
            for name, counts in VARIATIONS.items()
            for variation, split in enumerate(split for split, count in zip(SPLITS, counts, strict=True) for _ in range(count))
        )

    def select(self, split: str | None, type: str | None) -> Sequence[TaskInfo]:
        """Tasks of a split and a type, in the benchmark's order. Raises ``unknown_split``."""
        return self._tasks.select(split, type)

    def get(self, task_id: str) -> TaskInfo:
        """One task. Raises ``unknown_task``."""
        found = self._tasks.get(task_id)
        if found is None:
            parse_task_id(task_id)  # raises with the reason
            raise RestepError("unknown_task", f"no task {task_id!r}")
        return found

    def splits(self) -> list[SplitInfo]:
        """The splits with their sizes."""
        return [SplitInfo(name=split, tasks=count) for split, count in self._tasks.splits().items()]
