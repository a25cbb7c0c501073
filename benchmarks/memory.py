"""Resident memory of processes over a long run: samples, their growth, and the lines that are drawn of them."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import psutil

WARM: Final = (0.2, 0.3)
LAST: Final = 0.9
GROWTH: Final = 0.05
"""Most that a process may grow."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One look: seconds since the first, episodes finished so far, sessions held, bytes by process."""

    seconds: float
    episodes: int
    sessions: int
    resident: Mapping[str, int]


class Processes:
    """A server's process and all below it. Their names stay: kind and a number, in the order they were first seen."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._names: dict[int, str] = {pid: "server"}

    def resident(self) -> dict[str, int]:
        """Bytes of each process that runs."""
        found: dict[str, int] = {}
        for process in (self._root, *self._root.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                found[self._name(process)] = process.memory_info().rss
        return found

    def cpu_seconds(self) -> float:
        """User and system time of all that run."""
        total = 0.0
        for process in (self._root, *self._root.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system
        return total

    def _name(self, process: psutil.Process) -> str:
        if process.pid not in self._names:
            kind = process.name()
            number = 1 + sum(name.startswith(f"{kind} ") for name in self._names.values())
            self._names[process.pid] = f"{kind} {number}"
        return self._names[process.pid]


@dataclass(frozen=True, slots=True)
class Growth:
    """Of one process: median bytes after the warm-up and at the end, and by what share it grew."""

    process: str
    before: float
    after: float

    @property
    def share(self) -> float:
        """0.05 is five per cent."""
        return self.after / self.before - 1.0


def growth(samples: Sequence[Sample], episodes: int) -> list[Growth]:
    """Each process's median while the share ``WARM`` of all episodes was finished, against that from ``LAST`` on.

    A process that was not there in both is left out; where either part has no sample, nothing is known.
    """
    parts: list[list[Sample]] = [
        [sample for sample in samples if WARM[0] * episodes <= sample.episodes < WARM[1] * episodes],
        [sample for sample in samples if sample.episodes >= LAST * episodes],
    ]
    if not all(parts):
        return []
    always = [sample.resident.keys() for part in parts for sample in part]
    names = [name for name in always[0] if all(name in there for there in always)]
    return [Growth(name, *(statistics.median(sample.resident[name] for sample in part) for part in parts)) for name in names]


def lines(samples: Sequence[Sample]) -> dict[str, list[tuple[float, float]]]:
    """For a chart: episodes finished and MB, by process."""
    drawn: dict[str, list[tuple[float, float]]] = {}
    for sample in samples:
        for name, size in sample.resident.items():
            drawn.setdefault(name, []).append((sample.episodes, size / 2**20))
    return drawn
