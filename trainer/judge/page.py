"""What is shown of a judge: a table for the terminal, ``judge.json`` with everything, and ``judge.html`` to read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from rich import box
from rich.markup import escape
from rich.table import Table

from shared.protocol import Decision
from trainer.bootstrap import Interval
from trainer.files import write_whole
from trainer.judge.comparison import DECISIONS
from trainer.judge.figures import ALL, NONE, JudgeFigures, JudgeReport, KindDetection
from trainer.pages import render_page
from trainer.table import interval_text, percent

JSON_FILE: Final = "judge.json"
PAGE_FILE: Final = "judge.html"
_EMPTY: Final = "–"


def save_judge_report(report: JudgeReport, folder: Path) -> Path:
    """Write both files into a run's folder and return the page's path. Raises ``store_failed``."""
    write_whole(folder / JSON_FILE, report.model_dump_json(indent=1))
    return write_whole(folder / PAGE_FILE, render_judge_page(report))


def judge_tables(report: JudgeReport) -> list[Table]:
    """A table of every judge: in each environment a row for errors of any kind and one for each kind that occurs.

    Intervals stand below their figures, so that a table fits a terminal of 80 columns.
    """
    return [_judge_table(report, judge) for judge in dict.fromkeys(figures.judge for figures in report.figures)]


def _judge_table(report: JudgeReport, judge: str) -> Table:
    caption = (
        f"{report.run}; errors: {', '.join(report.errors)}; expert, judge: steps that each calls so; "
        f"help: corrections that the expert calls no error; brackets: {report.bootstrap.level:.0%} bootstrap over tasks"
    )
    title = f"{escape(judge)} against expert, %"
    table = Table(title=title, caption=caption, title_justify="left", caption_justify="left", box=box.SIMPLE_HEAD, padding=0)
    for name in ("", "error", "expert", "judge", "precision", "recall", "F1", "help"):
        table.add_column(name, justify="left" if name in ("", "error") else "right")
    for figures in (one for one in report.figures if one.judge == judge):
        table.add_section()
        place, errors = f"{figures.environment}\n{figures.steps} steps", figures.errors
        table.add_row(place, "any", *_cells(errors), _cell(errors.f1), _cell(figures.corrections_help))
        for kind, found in _kinds(figures):
            table.add_row("", kind, *_cells(found))
    return table


def render_judge_page(report: JudgeReport) -> str:
    """The page as HTML; what a judge is called is escaped."""
    sections = [_section(figures, frozenset(report.errors)) for figures in report.figures]
    return render_page("judge", report=report, sections=sections)


def _section(figures: JudgeFigures, errors: frozenset[Decision]) -> dict[str, Any]:
    said: list[str] = [*DECISIONS, *([NONE] if figures.unjudged else [])]
    return {
        "figures": figures,
        "place": "all environments" if figures.environment == ALL else figures.environment,
        "detection": [_shown(each) for each in (figures.errors.precision, figures.errors.recall, figures.errors.f1)],
        "help": _shown(figures.corrections_help),
        "kinds": [
            {
                "name": kind,
                "expert": found.expert,
                "judge": found.judge,
                "precision": _shown(found.precision),
                "recall": _shown(found.recall),
            }
            for kind, found in _kinds(figures)
        ],
        "said": [*said[:-1], "no verdict"] if figures.unjudged else said,
        "confusion": [
            (decision, [(row.get(each, 0), _outcome(decision in errors, each in errors)) for each in said])
            for decision, row in figures.confusion.items()
        ],
    }


def _outcome(error: bool, called: bool) -> str:
    """Of a step that the expert calls an error, or not, and that the judge calls one, or not."""
    return {(True, True): "hit", (True, False): "miss", (False, True): "alarm", (False, False): "right"}[error, called]


def _kinds(figures: JudgeFigures) -> list[tuple[Decision, KindDetection]]:
    return [(kind, one) for kind, one in figures.kinds.items() if one.expert or one.judge]


def _shown(interval: Interval | None) -> tuple[str, str]:
    return (_EMPTY, "") if interval is None else (percent(interval), interval_text(interval))


def _cells(found: KindDetection) -> tuple[str, ...]:
    return f"{found.expert}", f"{found.judge}", _cell(found.precision), _cell(found.recall)


def _cell(interval: Interval | None) -> str:
    return "\n".join(part for part in _shown(interval) if part)
