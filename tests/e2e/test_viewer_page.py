"""The viewer in a real browser: a person logs in and reads a run; nothing that an agent wrote runs, nobody else is asked."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from tests.support.runs import SCRIPT, make_run, make_wicked_run
from tests.support.server import ServerProcess

CHROMIUM = shutil.which("chromium")
SIZES = {"wide": (1200, 900), "phone": (400, 800)}
TOKEN = "a-token-for-the-browser"
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")]

Open = Callable[..., AbstractContextManager[Page]]
Scheme = Literal["light", "dark"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[ServerProcess]:
    folder = tmp_path_factory.mktemp("viewer")
    make_run(folder / "runs")
    make_wicked_run(folder / "runs")
    (folder / "token").write_text(TOKEN)
    flags = ["--port", "0", "--runs", str(folder / "runs"), "--token-file", str(folder / "token")]
    with ServerProcess(["-m", "trainer.cli", "serve", "viewer", *flags]) as running:
        yield running


@pytest.fixture
def opened(browser: Browser, server: ServerProcess) -> Open:
    """``with opened() as page``, logged in: at the end nothing went wrong in it and it asked nobody else."""

    @contextmanager
    def opening(size: str = "wide", scheme: Scheme = "light") -> Generator[Page]:
        faults: list[str] = []
        width, height = SIZES[size]
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.on("request", lambda one: None if one.url.startswith((server.url, "data:")) else faults.append(one.url))
        page.on("dialog", lambda dialog: _dismissed(dialog, faults))
        page.goto(server.url)
        page.get_by_label("token").fill(TOKEN)
        page.get_by_role("button", name="log in").click()
        expect(page.get_by_role("heading", name="Runs")).to_be_visible()
        yield page
        page.close()
        assert faults == []

    return opening


def _dismissed(dialog: Dialog, faults: list[str]) -> None:
    faults.append(f"dialog: {dialog.message}")
    dialog.dismiss()


def clipped(page: Page) -> bool:
    """Whether the page itself scrolls sideways; a wide table may scroll in its own frame."""
    return page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")


def test_a_wrong_token_is_told_and_the_right_one_leads_where_one_wanted_to_go(browser: Browser, server: ServerProcess) -> None:
    page = browser.new_page()
    page.goto(f"{server.url}/runs/trial?from=mail")
    page.get_by_label("token").fill("wrong")
    page.get_by_role("button", name="log in").click()
    expect(page.get_by_role("alert")).to_have_text("That is not the token.")
    page.get_by_label("token").fill(TOKEN)
    page.get_by_role("button", name="log in").click()
    expect(page).to_have_url(f"{server.url}/runs/trial?from=mail")
    assert page.evaluate("document.cookie") == ""
    page.get_by_role("button", name="log out").click()
    page.goto(f"{server.url}/runs/trial")
    expect(page.get_by_label("token")).to_be_visible()
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_a_person_reads_a_run_down_to_a_token(opened: Open, tmp_path: Path, size: str, scheme: Scheme) -> None:
    with opened(size, scheme) as page:
        page.get_by_role("link", name="trial").click()
        expect(page.get_by_role("heading", name="Did it help?")).to_be_visible()
        assert not clipped(page)
        page.get_by_role("link", name="reflected/sciworld").click()
        page.get_by_role("link", name="boil/0").first.click()
        error = page.locator(".step.error .words").first
        assert "line-through" in error.evaluate("element => getComputedStyle(element).textDecorationLine")
        expect(page.locator(".strip rect")).to_have_count(5 + 5)  # its steps; the first observation, and one of each action
        assert not clipped(page)
        page.screenshot(path=tmp_path / "episode.png", full_page=True)
        page.get_by_role("link", name="side by side").last.click()
        expect(page.locator("section")).to_have_count(2)
        assert not clipped(page)


def test_the_list_is_filtered_and_turned(opened: Open) -> None:
    with opened() as page:
        page.get_by_role("link", name="trial").click()
        page.get_by_role("link", name="golden/sciworld", exact=True).click()
        page.get_by_label("kept").select_option("yes")
        page.get_by_role("button", name="show").click()
        expect(page.get_by_text("60 episodes, page 1 of 2")).to_be_visible()
        page.get_by_role("link", name="after").click()
        expect(page.get_by_text("60 episodes, page 2 of 2")).to_be_visible()
        expect(page.get_by_label("kept")).to_have_value("yes")


def test_what_an_agent_wrote_is_shown_and_not_run(opened: Open) -> None:
    with opened() as page:
        page.get_by_role("link", name="<b>wicked").click()
        page.get_by_role("link", name="reflected/sciworld").click()
        expect(page.locator("td", has_text=SCRIPT).nth(1)).to_be_visible()
        page.locator("tbody a").first.click()
        expect(page.locator(".said .words", has_text=SCRIPT)).to_have_count(6)
        assert page.locator("main script, main img, main b svg").count() == 0
        assert page.title().startswith(SCRIPT)
        page.locator("summary").first.click()
        expect(page.locator(".tokens span")).to_have_count(2)


def test_a_page_that_a_run_brought_along_cannot_run_a_script(browser: Browser, server: ServerProcess) -> None:
    page = browser.new_page(extra_http_headers={"authorization": f"Bearer {TOKEN}"})
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    page.goto(f"{server.url}/runs/%3Cb%3Ewicked%3Csvg%20onload=x()%3E/pages/report")
    assert page.title() == "report"
    page.goto(f"{server.url}/runs/trial/pages/report")
    expect(page.get_by_role("heading", name="Did it help?")).to_be_visible()
    page.close()
