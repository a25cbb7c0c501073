"""The bar of a fine-tuning shows where it is."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from trainer.training_progress import TrainingProgress, training_bar


def test_the_bar_names_step_loss_and_rate() -> None:
    out = StringIO()
    with training_bar("training golden-small", Console(file=out, force_terminal=True, width=140)) as report:
        report(TrainingProgress(step=3, steps=20, loss=1.2345, tokens_per_second=4321.0))
    shown = out.getvalue()
    assert "training golden-small" in shown
    assert "3/20" in shown
    assert "loss 1.234" in shown
    assert "4,321 tokens/s" in shown


def test_a_step_without_loss_shows_the_rate_alone() -> None:
    out = StringIO()
    with training_bar("x", Console(file=out, force_terminal=True, width=140)) as report:
        report(TrainingProgress(step=1, steps=2, loss=None, tokens_per_second=10.0))
    assert "10 tokens/s" in out.getvalue()
    assert "loss" not in out.getvalue()
