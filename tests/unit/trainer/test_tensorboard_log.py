"""Curves for TensorBoard are the metrics, each step once, however often a training was interrupted."""

from __future__ import annotations

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
