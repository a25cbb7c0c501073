"""Runs as files: one trajectory document a line, readable without the store.

A file carries documents, not the store's bookkeeping. So an export holds what is kept for training unless asked
otherwise, and an import numbers attempts anew and says itself whether what it brings is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from shared.errors import RestepError
from shared.files import whole_file
from shared.trajectory import Trajectory, load_trajectory

if TYPE_CHECKING:
    from shared.store.store import TrajectoryStore


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did. ``torn``: the last line was cut off (a writer was killed) and is missing."""

    added: int
    already_there: int
    torn: bool


def export_jsonl(store: TrajectoryStore, run: str | Sequence[str], path: Path, *, kept: bool | None = True) -> int:
    """Write the trajectories of a run and return how many; the file appears whole or not at all.

    The order is the store's, so equal runs give equal files. Raises ``store_failed``.
    """
    count = 0
    with whole_file(path) as file:
        for trajectory in store.trajectories(run, kept=kept):
            file.write(trajectory.dumps() + b"\n")
            count += 1
    return count


def import_jsonl(store: TrajectoryStore, path: Path, run: str, *, kept: bool = True) -> Imported:
    """Add the trajectories of a file to a run: all of them or, when one is damaged, none.

    Importing a file again adds nothing. A last line without its end is left out and reported. Raises
    ``invalid_trajectory`` with the line number, ``data_not_found``, ``store_failed``.
    """
    if not path.is_file():
        raise RestepError("data_not_found", f"{path} is not a file")
    lines = _Lines(path)
    added, already_there = store.commit_all(lines, run, kept=kept)
    return Imported(added, already_there, lines.torn)


class _Lines:
    """The trajectories of a file; ``torn`` once they were gone through and the last line was cut off."""

    def __init__(self, path: Path) -> None:
        self._path, self.torn = path, False

    def __iter__(self) -> Iterator[Trajectory]:
        with self._path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                try:
                    yield load_trajectory(line)
                except RestepError as error:
                    if line.endswith(b"\n") or _is_json(line):
                        raise RestepError(error.code, f"{self._path}, line {number}: {error.detail}") from None
                    self.torn = True


def _is_json(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True
