"""The report in a real browser: it renders, needs no network, and has no script error."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.support.outcome import results
from tests.support.trajectories import sample
from trainer.report import Shown, write_report

CHROMIUM = shutil.which("chromium")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")]


def opened(path: Path) -> tuple[str, list[str], list[str]]:
    """Visible text, console errors, and addresses asked for beyond the file."""
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
        browser.close()
    return text, errors, [url for url in asked if url != path.as_uri()]


def test_the_page_shows_the_table_and_asks_for_nothing(tmp_path: Path) -> None:
    text, errors, asked = opened(write_report(results(), tmp_path, {"sciworld": [Shown("one", sample()[0])]}))
    assert "Did it help?" in text
    assert "step is better than golden-all" in text
    assert "error · weight 0" in text
    assert errors == []
    assert asked == []


def test_the_page_of_several_environments_shows_their_mean_first(tmp_path: Path) -> None:
    shown = {place: [Shown(f"of {place}", sample()[0])] for place in ("sciworld", "webshop")}
    text, errors, asked = opened(write_report(results("sciworld", "webshop"), tmp_path, shown))
    assert "On average over sciworld, webshop: step is better than golden-all" in text
    assert text.index("Did it help?") < text.index("of sciworld") < text.index("of webshop")
    assert errors == []
    assert asked == []


def test_the_demo_page_shows_every_arm(small_demo: tuple[Path, str]) -> None:
    text, errors, asked = opened(small_demo[0] / "report.html")
    for arm in ("base", "golden-small", "golden-all", "step", "step-unmasked"):
        assert arm in text
    assert errors == []
    assert asked == []
