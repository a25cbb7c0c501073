"""The bar of a fine-tuning shows where it is, and the figures of its last step."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from trainer.training_progress import TrainingProgress, figures_line, training_bar

FIGURES = {
    "step": 3,
    "loss": 1.2345,
    "loss/thought": 1.5,
    "loss/action": 0.25,
    "loss/error": 4.0,
    "loss/golden": 1.0,
    "trained_share": 0.314,
    "pack_efficiency": 0.981,
    "tokens_per_second": 4321.0,
    "mfu": 0.42,
    "memory_gib": 12.34,
}


def test_the_bar_names_the_step_and_its_figures() -> None:
    out = StringIO()
    with training_bar("training golden-small", Console(file=out, force_terminal=True, width=180)) as report:
        report(TrainingProgress(20, FIGURES))
    shown = out.getvalue()
    assert "training golden-small" in shown
    assert "3/20" in shown
    assert figures_line(FIGURES) in shown


def test_in_a_log_the_bar_ends_its_line() -> None:
    out = StringIO()
    with training_bar("training golden-small", Console(file=out, width=180)) as report:
        report(TrainingProgress(20, FIGURES))
    assert out.getvalue().rstrip(" ").endswith("12.3 GiB\n")


def test_the_figures_are_those_a_person_watches() -> None:
    assert figures_line(FIGURES) == (
        "loss 1.234 · thought 1.500 · action 0.250 · error steps 4.000 · 31% of tokens trained · rows 98% full · "
        "4,321 tokens/s · MFU 42% · 12.3 GiB"
    )


def test_a_step_without_loss_shows_the_rest() -> None:
    assert figures_line({"step": 1, "tokens_per_second": 10.0}) == "10 tokens/s"
