"""What a game is before it is understood: the texts of its file, wherever they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.protocol import TaskInfo


@dataclass(frozen=True, slots=True)
class GameText:
    """The parts of a ``game.tw-pddl`` and its ``traj_data.json``, as text. Domain and grammar are nearly always shared.

    ``walkthrough`` is a list of commands that wins, or None where the file has none. ``annotations`` are the human
    task descriptions, maybe none.
    """

    task_id: str
    domain: str
    grammar: str
    problem: str
    walkthrough: tuple[str, ...] | None
    annotations: tuple[str, ...] = ()


class Library(Protocol):
    """Where games come from. Methods are quick; none touches the network."""

    @property
    def data_version(self) -> str:
        """First 16 hex digits of a SHA-256 of the content."""
        ...

    def tasks(self, split: str | None = None, type: str | None = None) -> Sequence[TaskInfo]:
        """Tasks in a stable order. Raises ``unknown_split``."""
        ...

    def splits(self) -> dict[str, int]:
        """Splits to their number of tasks."""
        ...

    def task(self, task_id: str) -> TaskInfo:
        """One task. Raises ``unknown_task``."""
        ...

    def load(self, task_id: str) -> GameText:
        """The texts of one game. Raises ``unknown_task``, ``data_corrupt``."""
        ...
