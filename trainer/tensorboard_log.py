"""The metrics of a fine-tuning for TensorBoard: the lines of ``metrics.jsonl`` again, a curve for each figure.

``tensorboard --logdir runs/NAME/arms`` lays the arms of a run over one another. Its records are written here and now:
the library's own writer has a thread, and on a disk that is full that thread fails where nobody can catch it.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, cast

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

_EVENT: Final = cast("Any", event_pb2).Event  # messages have no types
_SUMMARY: Final = cast("Any", summary_pb2).Summary
_VERSION: Final = "brain.Event:2"
_FILE: Final = "events.out.tfevents"


class TensorBoardLog:
    """An event file in a folder of its own, written anew from the lines so far, so that a resumption repeats no step."""

    def __init__(self, folder: Path, lines: Iterable[Mapping[str, float]] = ()) -> None:
        """Raises OSError, as every method does, where there is no room."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self._file = (folder / f"{_FILE}.{int(time.time())}.{os.getpid()}").open("wb")
        self._records = RecordWriter(self._file)
        self._write(_EVENT(wall_time=time.time(), file_version=_VERSION))
        for line in lines:
            self.add(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def add(self, line: Mapping[str, float]) -> None:
        """Write the figures of an optimiser step; ``step`` and ``seconds`` place it."""
        figures = {name: value for name, value in line.items() if name not in ("step", "seconds")}
        values = [_SUMMARY.Value(tag=name, simple_value=value) for name, value in figures.items()]
        self._write(_EVENT(wall_time=time.time(), step=int(line["step"]), summary=_SUMMARY(value=values)))

    def _write(self, event: Any) -> None:
        cast("Any", self._records).write(event.SerializeToString())
        self._file.flush()
