"""Tasks by id: ``synthetic-<i>`` and ``human-<i>``, where ``i`` counts goals in the benchmark's order.

The benchmark's split of its goals (``baseline_models/env.py``) is by that number; goals written by people are a split of
their own. The type of a task is the category of the product it was made from.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Sequence
from typing import Final, overload

from services.webshop.goals import Goal, Goals
from shared.errors import RestepError
from shared.protocol import TaskInfo

HUMAN: Final = "human"
SYNTHETIC: Final = "synthetic"
_SPLITS: Final = (("test", 0), ("dev", 500), ("train", 1500))
_ID: Final = re.compile(rf"({SYNTHETIC}|{HUMAN})-(0|[1-9][0-9]{{0,11}})")


class TaskList(Sequence[TaskInfo]):
    """Tasks that are made when they are looked at."""

    def __init__(self, numbers: Sequence[int], make: Callable[[int], TaskInfo]) -> None:
        self._numbers = numbers
        self._make = make

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> TaskInfo: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[TaskInfo]: ...
    def __getitem__(self, index: int | slice) -> TaskInfo | Sequence[TaskInfo]:
        """One task, or some in the same order."""
        if isinstance(index, slice):
            return TaskList(self._numbers[index], self._make)
        return self._make(self._numbers[index])


class TaskTable:
    """All tasks: synthetic ones, then human ones, by a number that runs through both."""

    def __init__(self, synthetic: Goals, human: Goals) -> None:
        self._synthetic = synthetic
        self._human = human
        self._splits = _splits(len(synthetic), len(human))
        self._of_type: dict[tuple[str | None, str], Sequence[int]] = {}

    def splits(self) -> dict[str, int]:
        """Splits to their number of tasks, those without any left out."""
        return {name: len(numbers) for name, numbers in self._splits.items()}

    def types(self) -> list[str]:
        """The categories that any task is of, sorted."""
        return sorted(self._synthetic.categories() | self._human.categories())

    def select(self, split: str | None = None, type: str | None = None) -> Sequence[TaskInfo]:
        """Tasks in order. Raises ``unknown_split``."""
        if split is not None and split not in self._splits:
            raise RestepError("unknown_split", f"no split {split!r}; there are {', '.join(self._splits)}")
        total = len(self._synthetic) + len(self._human)
        numbers: Sequence[int] = range(total) if split is None else self._splits[split]
        return TaskList(numbers if type is None else self._typed(split, type, numbers), self._info)

    def task(self, task_id: str) -> TaskInfo:
        """One task. Raises ``unknown_task``."""
        goals, index = self._find(task_id)
        return self._info(index if goals is self._synthetic else len(self._synthetic) + index)

    def goal(self, task_id: str) -> Goal:
        """The goal of one task. Raises ``unknown_task``."""
        goals, index = self._find(task_id)
        return goals[index]

    def _find(self, task_id: str) -> tuple[Goals, int]:
        if found := _ID.fullmatch(task_id):
            goals, index = self._human if found[1] == HUMAN else self._synthetic, int(found[2])
            if index < len(goals):
                return goals, index
        raise RestepError("unknown_task", f"no task {task_id}")

    def _place(self, number: int) -> tuple[Goals, int]:
        count = len(self._synthetic)
        return (self._synthetic, number) if number < count else (self._human, number - count)

    def _info(self, number: int) -> TaskInfo:
        goals, index = self._place(number)
        split = next(name for name, numbers in self._splits.items() if number in numbers)
        kind = HUMAN if goals is self._human else SYNTHETIC
        return TaskInfo(id=f"{kind}-{index}", split=split, type=goals.category(index), goal=goals[index].text)

    def _typed(self, split: str | None, type: str, numbers: Sequence[int]) -> Sequence[int]:
        if type not in self.types():
            return ()
        if (split, type) not in self._of_type:
            places = ((number, *self._place(number)) for number in numbers)
            self._of_type[split, type] = array("L", (number for number, goals, at in places if goals.category(at) == type))
        return self._of_type[split, type]


def _splits(synthetic: int, human: int) -> dict[str, range]:
    ends = [*(begin for _, begin in _SPLITS[1:]), synthetic]
    splits = {name: range(begin, min(end, synthetic)) for (name, begin), end in zip(_SPLITS, ends, strict=True)}
    splits[HUMAN] = range(synthetic, synthetic + human)
    return {name: numbers for name, numbers in splits.items() if numbers}
