"""Curves for TensorBoard are the metrics, each step once, however often a training was interrupted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from trainer.tensorboard_log import TensorBoardLog


def curve(folder: Path, name: str) -> list[tuple[int, float]]:
    events: Any = EventAccumulator(str(folder))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


def test_a_curve_for_each_figure(tmp_path: Path) -> None:
    with TensorBoardLog(tmp_path / "board") as board:
        board.add({"step": 1, "seconds": 0.5, "loss": 2.0, "loss/error": 4.0})
        board.add({"step": 2, "seconds": 0.9, "loss": 1.5})
    events = EventAccumulator(str(tmp_path / "board"))
    events.Reload()
    assert events.Tags()["scalars"] == ["loss", "loss/error"]
    assert curve(tmp_path / "board", "loss") == [(1, 2.0), (2, 1.5)]


def test_what_a_resumption_takes_back_is_not_shown(tmp_path: Path) -> None:
    with TensorBoardLog(tmp_path / "board") as board:
        for step in (1, 2, 3):
            board.add({"step": step, "loss": 9.0})
    with TensorBoardLog(tmp_path / "board", [{"step": 1, "loss": 9.0}]) as board:
        board.add({"step": 2, "loss": 5.0})
    assert curve(tmp_path / "board", "loss") == [(1, 9.0), (2, 5.0)]


_ON_A_FULL_DISK = """
import resource, sys
from pathlib import Path
from trainer.tensorboard_log import TensorBoardLog

resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
try:
    with TensorBoardLog(Path(sys.argv[1])) as board:
        for step in range(20):
            board.add({"step": step, "loss": 1.0})
except OSError:
    sys.exit(f"no room at step {step}")
"""


def test_a_full_disk_is_told_to_whoever_writes_at_once(tmp_path: Path) -> None:
    """And by no thread of its own, whose trace would be the first that a user sees."""
    command = [sys.executable, "-c", _ON_A_FULL_DISK, str(tmp_path / "board")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said, _, written = done.stderr.strip().rpartition(" ")
    assert (done.returncode, said) == (1, "no room at step")
    assert int(written) > 2
    assert [step for step, _ in curve(tmp_path / "board", "loss")] == list(range(int(written)))
