"""How far a collection is, and a bar that shows it: rate, success and remaining time.

Whoever collects only reports a :class:`Progress` to a callback; whether a person watches is the caller's business.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.progress import Progress as RichProgress
from rich.text import Text


@dataclass(frozen=True, slots=True)
class Progress:
    """A collection so far. ``found`` were finished before it began; ``elapsed`` is in seconds.

    ``succeeded`` is None where nothing is played that could meet a goal.
    """

    total: int
    found: int
    finished: int
    succeeded: int | None
    failed: int
    elapsed: float

    @property
    def completed(self) -> int:
        """Units that need no more work: found, finished now, or given up."""
        return self.found + self.finished + self.failed

    @property
    def rate(self) -> float:
        """Episodes a second, of this run alone."""
        return (self.finished + self.failed) / self.elapsed if self.elapsed > 0 else 0.0

    @property
    def success(self) -> float | None:
        """Share of the finished episodes that met their goal; None before the first, and where none could."""
        episodes = self.found + self.finished
        return self.succeeded / episodes if self.succeeded is not None and episodes else None

    @property
    def eta(self) -> float | None:
        """Seconds left at the present rate; None while there is none."""
        return (self.total - self.completed) / self.rate if self.rate > 0 else None


Report = Callable[[Progress], None]


class _Figures(ProgressColumn):
    """Rate, success, failures and time left, in words."""

    def render(self, task: Task) -> Text:
        """The text of one bar."""
        progress = task.fields.get("progress")
        return Text(describe(progress) if isinstance(progress, Progress) else "", style="cyan")


def describe(progress: Progress) -> str:
    """One line: ``3.1/s · success 84% · 2 failed · 0:42 left``."""
    parts = [f"{progress.rate:.1f}/s"]
    if progress.success is not None:
        parts.append(f"success {progress.success:.0%}")
    if progress.failed:
        parts.append(f"{progress.failed} failed")
    if progress.eta is not None:
        minutes, seconds = divmod(round(progress.eta), 60)
        parts.append(f"{minutes}:{seconds:02d} left")
    return " · ".join(parts)


@contextmanager
def bar(title: str, console: Console | None = None) -> Generator[Report]:
    """A bar on the terminal for the time of the block; it yields the callback that moves it."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Figures())
    with RichProgress(*columns, console=console) as rich:
        task = rich.add_task(title, total=None, progress=None)

        def report(progress: Progress) -> None:
            rich.update(task, total=progress.total, completed=progress.completed, progress=progress)

        yield report
