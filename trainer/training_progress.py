"""How far a fine-tuning is, and a bar that shows it: loss, tokens a second and remaining time."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """After one optimiser step. ``loss`` is None for a step that held no trained token."""

    step: int
    steps: int
    loss: float | None
    tokens_per_second: float


TrainingReport = Callable[[TrainingProgress], None]


@contextmanager
def training_bar(title: str, console: Console | None = None) -> Generator[TrainingReport]:
    """A bar on the terminal for the time of the block; it yields the callback that moves it."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("[cyan]{task.fields[figures]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as rich:
        task = rich.add_task(title, total=None, figures="")

        def report(progress: TrainingProgress) -> None:
            loss = "" if progress.loss is None else f"loss {progress.loss:.3f} · "
            figures = f"{loss}{progress.tokens_per_second:,.0f} tokens/s"
            rich.update(task, total=progress.steps, completed=progress.step, figures=figures)

        yield report
