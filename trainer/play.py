"""What was played of an environment to pre-train on, without words: wording is drawn when it is told.

Stored a line of JSON each, so that a collection that was stopped goes on, and one play serves under several goals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import orjson

Kind = Literal["errand", "wander", "expert"]


@dataclass(frozen=True, slots=True)
class PlayStep:
    """One executed action, and what an errand meant by it: ``("pick", "red wire")``, or None outside errands."""

    action: str
    observation: str
    purpose: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Play:
    """One episode. ``goal`` is the task's own, ``look`` its first observation."""

    kind: Kind
    task_id: str
    goal: str
    look: str
    steps: tuple[PlayStep, ...]
    options: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Play:
        """Read a stored play."""
        return cls(row["kind"], row["task_id"], row["goal"], row["look"], tuple(map(_step, row["steps"])), row["options"])

    def to_row(self) -> dict[str, Any]:
        """The opposite of :meth:`from_row`."""
        return {
            "kind": self.kind,
            "task_id": self.task_id,
            "options": dict(self.options),
            "goal": self.goal,
            "look": self.look,
            "steps": [{"action": s.action, "observation": s.observation, "purpose": s.purpose} for s in self.steps],
        }


class PlayFile:
    """Plays on disk, each with its number, appended as they are finished."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path

    def rows(self) -> list[dict[str, Any]]:
        """Whole lines in the order of their numbers; a line cut off by a kill is left out."""
        if not self.path.exists():
            return []
        lines = self.path.read_bytes().split(b"\n")[:-1]
        found = {int(row["number"]): row for row in map(_row, lines) if row}
        return [found[number] for number in sorted(found)]

    def plays(self) -> list[Play]:
        """All plays; the order in which they were finished does not matter."""
        return [Play.from_row(row) for row in self.rows()]

    def add(self, number: int, play: Play) -> None:
        """Append one; on a line of its own even after a cut-off one."""
        line = orjson.dumps({"number": number, **play.to_row()}) + b"\n"
        with self.path.open("ab+") as file:
            if file.tell() and not _ends_line(self.path):
                file.write(b"\n")
            file.write(line)


def _step(row: Mapping[str, Any]) -> PlayStep:
    return PlayStep(row["action"], row["observation"], tuple(row["purpose"]) if row["purpose"] else None)


def _ends_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) == b"\n"


def _row(line: bytes) -> dict[str, Any]:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
