"""What is shown of a judge: a table for the terminal, ``judge.json`` with everything, and ``judge.html`` to read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from rich import box
from rich.table import Table

from shared.protocol import Decision
from trainer.bootstrap import Interval
from trainer.files import write_whole
from trainer.judge.comparison import DECISIONS
from trainer.judge.figures import Detection, JudgeFigures, JudgeReport
from trainer.table import interval_text, percent

JSON_FILE: Final = "judge.json"
PAGE_FILE: Final = "judge.html"
_NONE: Final = "–"


def save_judge_report(report: JudgeReport, folder: Path) -> Path:
    """Write both files into a run's folder and return the page's path. Raises ``store_failed``."""
    write_whole(folder / JSON_FILE, report.model_dump_json(indent=1))
    return write_whole(folder / PAGE_FILE, render_judge_page(report))


def judge_table(report: JudgeReport) -> Table:
    """A row for all errors and for each kind that occurs, of every judge and environment; intervals below figures."""
    caption = (
        f"{report.run}; errors: {', '.join(report.errors)}; brackets: {report.bootstrap.level:.0%} bootstrap over tasks; "
        "help: corrections that the expert calls no error"
    )
    table = Table(
        title="judge against expert, %", caption=caption, title_justify="left", caption_justify="left", box=box.SIMPLE_HEAD
    )
    for name in ("environment", "errors", "steps", "precision", "recall", "F1", "help"):
        table.add_column(name, justify="left" if name in ("environment", "errors") else "right")
    for figures in report.figures:
        table.add_section()
        table.add_row(f"[bold]{figures.judge}")
        for name, found in _rows(figures):
            whole = name == "all"
            help_cell = _cell(figures.corrections_help) if whole else ""
            steps = f"{figures.steps}" if whole else f"{found.expert}"
            place = figures.environment if whole else ""
            table.add_row(place, name, steps, _cell(found.precision), _cell(found.recall), _cell(found.f1), help_cell)
    return table


def render_judge_page(report: JudgeReport) -> str:
    """The page as HTML; what a judge is called is escaped."""
    environment = Environment(
        loader=PackageLoader("trainer"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    sections = [_section(figures) for figures in report.figures]
    return environment.get_template("judge.html.j2").render(report=report, sections=sections)


def _section(figures: JudgeFigures) -> dict[str, Any]:
    said: list[str] = [*DECISIONS, "none"]
    return {
        "figures": figures,
        "rows": [
            {
                "name": name,
                "expert": found.expert,
                "judge": found.judge,
                "figures": [_shown(each) for each in (found.precision, found.recall, found.f1)],
            }
            for name, found in _rows(figures)
        ],
        "help": _shown(figures.corrections_help),
        "said": said,
        "confusion": [(decision, [row.get(each, 0) for each in said]) for decision, row in figures.confusion.items()],
    }


def _rows(figures: JudgeFigures) -> list[tuple[Decision | str, Detection]]:
    return [("all", figures.errors), *((kind, one) for kind, one in figures.kinds.items() if one.expert or one.judge)]


def _shown(interval: Interval | None) -> tuple[str, str]:
    return (_NONE, "") if interval is None else (percent(interval), interval_text(interval))


def _cell(interval: Interval | None) -> str:
    return "\n".join(part for part in _shown(interval) if part)
