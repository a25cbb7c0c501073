"""What the ``restep data`` commands ask of a benchmark's data, so that they know none of the benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

Say = Callable[[str], None]


@dataclass(slots=True)
class DataReport:
    """What a check found: ``facts`` in any case, ``problems`` a line for each thing that is damaged or missing."""

    facts: list[str] = field(default_factory=list[str])
    problems: list[str] = field(default_factory=list[str])


class Dataset(Protocol):
    """The data of one benchmark, below its own name in a data folder. ``say`` takes lines about progress."""

    def check(self, data: Path | None, say: Say) -> DataReport:
        """Read everything once. Without ``data``: what comes with restep. Raises ``data_not_found``, ``data_corrupt``."""
        ...

    def fetch(self, data: Path, mirror: str | None, say: Say, *, full: bool = False) -> None:
        """Bring the official data; ``mirror`` is an address to take the same files from.

        ``full`` brings everything where the benchmark has a smaller set, which else is brought.
        Interrupted, it goes on where it stopped. Raises ``download_failed``, ``data_corrupt``, ``data_not_written``.
        """
        ...
