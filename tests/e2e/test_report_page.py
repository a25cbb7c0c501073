"""The reports in a real browser: they render, need no network, have no script error, and clip no table."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Page, sync_playwright

from shared.protocol import ERROR_DECISIONS, Decision
from tests.support.outcome import results
from tests.support.trajectories import sample
from trainer.bootstrap import BootstrapConfig
from trainer.judge.comparison import DECISIONS, Compared, ComparedEpisode
from trainer.judge.figures import JudgeReport, judge_figures
from trainer.judge.page import save_judge_report
from trainer.report import Shown, write_report

CHROMIUM = shutil.which("chromium")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")]


class Opened(NamedTuple):
    """Visible text, console errors, addresses asked for beyond the file, and tables that have to be scrolled."""

    text: str
    errors: list[str]
    asked: list[str]
    clipped: list[str]

    @property
    def faults(self) -> list[str]:
        return self.errors + self.asked + self.clipped


def opened(path: Path) -> Opened:
    errors: list[str] = []
    asked: list[str] = []
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        page: Page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        page.screenshot(path=path.with_suffix(".png"), full_page=True)
        text = page.inner_text("body")
        clipped = page.eval_on_selector_all(
            ".wide", "all => all.filter(e => e.scrollWidth > e.clientWidth).map(e => e.innerText)"
        )
        browser.close()
    return Opened(text, errors, [url for url in asked if url != path.as_uri()], clipped)


def test_the_page_shows_the_table_and_asks_for_nothing(tmp_path: Path) -> None:
    page = opened(write_report(results(), tmp_path, {"sciworld": [Shown("one", sample()[0])]}))
    assert "Did it help?" in page.text
    assert "step is better than golden-all" in page.text
    assert "error · weight 0" in page.text
    assert page.faults == []


def test_the_page_of_several_environments_shows_their_mean_first(tmp_path: Path) -> None:
    places = ("sciworld", "alfworld", "webshop")
    shown = {place: [Shown(f"of {place}", sample()[0])] for place in places}
    text = (page := opened(write_report(results(*places), tmp_path, shown))).text
    assert "On average over sciworld, alfworld, webshop: step is better than golden-all" in text
    assert text.index("Did it help?") < text.index("of sciworld") < text.index("of alfworld") < text.index("of webshop")
    assert page.faults == []


def test_the_page_on_the_judge_shows_every_verdict(tmp_path: Path) -> None:
    known: list[Decision] = list(DECISIONS)
    said: list[Decision | None] = [*known, None]
    steps = [Compared(index=0, kind="verdict", judge="llm:a model", said=one, expert=other) for one in said for other in known]
    steps += [Compared(index=1, kind="correction", judge="llm:a model", said=None, expert=one) for one in known]
    episodes = [
        ComparedEpisode(trajectory=f"{place}/{n}", environment=place, task=f"{n}", steps=steps)
        for place in ("sciworld", "webshop")
        for n in range(3)
    ]
    bootstrap = BootstrapConfig(resamples=200)
    figures = judge_figures(episodes, ERROR_DECISIONS, bootstrap)
    report = JudgeReport(
        run="r", created="now", errors=sorted(ERROR_DECISIONS), bootstrap=bootstrap, versions={}, figures=figures
    )
    page = opened(save_judge_report(report, tmp_path))
    for text in ("llm:a model", "all environments", "Kinds of errors", "no verdict", "corrections"):
        assert text in page.text
    assert page.faults == []


def test_the_demo_page_shows_every_arm(small_demo: tuple[Path, str]) -> None:
    page = opened(small_demo[0] / "report.html")
    for arm in ("base", "golden-small", "golden-all", "step", "step-unmasked"):
        assert arm in page.text
    assert page.faults == []
