"""The metrics of a fine-tuning for TensorBoard: the lines of ``metrics.jsonl`` again, a curve for each figure.

``tensorboard --logdir runs/NAME/arms`` lays the arms of a run over one another.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from torch.utils.tensorboard.writer import SummaryWriter


class TensorBoardLog:
    """Event files in a folder of their own, written anew from the lines so far, so that a resumption repeats no step."""

    def __init__(self, folder: Path, lines: Iterable[Mapping[str, float]] = ()) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self._writer = SummaryWriter(str(folder), flush_secs=10)
        for line in lines:
            self.add(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._writer.close()

    def add(self, line: Mapping[str, float]) -> None:
        """Write the figures of an optimiser step; ``step`` and ``seconds`` place it."""
        for name, value in line.items():
            if name not in ("step", "seconds"):
                self._writer.add_scalar(name, value, int(line["step"]))
