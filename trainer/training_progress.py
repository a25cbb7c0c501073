"""How far a fine-tuning is, and a bar that shows it, with the figures of its last optimiser step below."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """After one optimiser step of ``steps``; ``figures`` is its line in ``metrics.jsonl``."""

    steps: int
    figures: Mapping[str, float]

    @property
    def step(self) -> int:
        """The optimiser step, counted from 1."""
        return int(self.figures["step"])


TrainingReport = Callable[[TrainingProgress], None]
_SHOWN: Final[Mapping[str, Callable[[float], str]]] = {
    "loss": "loss {:.3f}".format,
    "loss/thought": "thought {:.3f}".format,
    "loss/action": "action {:.3f}".format,
    "loss/error": "error steps {:.3f}".format,
    "trained_share": "{:.0%} of tokens trained".format,
    "pack_efficiency": "rows {:.0%} full".format,
    "tokens_per_second": "{:,.0f} tokens/s".format,
    "mfu": "MFU {:.0%}".format,
    "memory_gib": "{:.1f} GiB".format,
}
"""What stands below the bar, of the figures that a step has."""


def figures_line(figures: Mapping[str, float]) -> str:
    """``loss 1.234 · action 0.456 · 4,321 tokens/s · 1.2 GiB``: those of a step that a person watches."""
    return " · ".join(shown(figures[name]) for name, shown in _SHOWN.items() if name in figures)


@contextmanager
def training_bar(title: str, console: Console | None = None) -> Generator[TrainingReport]:
    """A bar on the terminal for the time of the block; it yields the callback that moves it."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    rich = Progress(*columns, console=console)
    task = rich.add_task(title, total=None)
    figures = Text(style="cyan")
    with Live(Group(rich, figures), console=console) as live:

        def report(progress: TrainingProgress) -> None:
            rich.update(task, total=progress.steps, completed=progress.step)
            figures.plain = figures_line(progress.figures)

        yield report
    if not live.console.is_interactive:
        live.console.print()  # where no bar moves, its last state does not end its line
