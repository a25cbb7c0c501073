"""The training tasks U in two disjoint halves: U1 for golden trajectories, U2 for reflected ones (STeP, stage 1 and 2).

A task's half depends on its id and the salt alone: not on the order of the tasks, on which of them are asked for, on
the machine or on the process. A larger ``fraction`` only ever moves tasks from U2 to U1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from shared.protocol import TaskInfo
from trainer.options import Options

Half = Literal["U1", "U2"]


class SplitConfig(Options):
    """How U is halved."""

    fraction: float = Field(default=0.5, ge=0.0, le=1.0, description="expected share of the tasks that goes to U1")
    salt: str = Field(default="restep", description="another salt, another split: for repeated experiments")


def half(task_id: str, config: SplitConfig) -> Half:
    """Which half a task is in: the first 53 bits of a SHA-256 as a fraction of 1, against ``config.fraction``."""
    digest = hashlib.sha256(f"{config.salt}\0{task_id}".encode()).digest()
    return "U1" if (int.from_bytes(digest[:8]) >> 11) / 2**53 < config.fraction else "U2"


def split_tasks(tasks: Iterable[TaskInfo], config: SplitConfig) -> tuple[list[TaskInfo], list[TaskInfo]]:
    """U1 and U2, each in the order of ``tasks``."""
    halves: dict[Half, list[TaskInfo]] = {"U1": [], "U2": []}
    for task in tasks:
        halves[half(task.id, config)].append(task)
    return halves["U1"], halves["U2"]
