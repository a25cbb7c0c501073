"""What every format has in common: rows that are made one by one, counted, and written as they come."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from shared.files import whole_file

Row = dict[str, Any]


@dataclass(slots=True)
class Exported:
    """How many trajectories were written, and how many not whole or not at all.

    ``untrained`` were left out because no step of theirs would be trained; ``cut`` end, at the end of an answer, before
    their own end because they are longer than ``longest`` tokens.
    """

    written: int = 0
    untrained: int = 0
    cut: int = 0
    longest: int = 0

    def shortfall(self) -> str:
        """What was not written, to be put behind what was; empty when everything was."""
        told = f"; {self.cut} cut at {self.longest} tokens" if self.cut else ""
        return told + (f"; {self.untrained} left out, of which nothing would be trained" if self.untrained else "")


def write_lines(path: Path, rows: Iterable[Row]) -> None:
    """One JSON document a line. Raises ``store_failed``; the old file then still stands."""
    with whole_file(path) as file:
        for row in rows:
            file.write(orjson.dumps(row) + b"\n")
