"""``/docs`` in a real browser: it asks nobody but its server, and what it sends arrives, behind a gateway's prefix as well."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.support.gateway import Gateway
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium on this machine")]

SERVE = ("-m", "trainer.cli", "serve")


@pytest.mark.parametrize(("service", "path"), [("alfworld", "/v1/environment"), ("agent", "/v1/agent")])
def test_a_request_is_tried_on_the_page(service: str, path: str, browser: Browser, tmp_path: Path) -> None:
    with ServerProcess([*SERVE, service, "--port", "0"]) as server, Gateway({service: [server.url]}, tmp_path) as gateway:
        tried(browser, server.url, path)
        tried(browser, f"{gateway.url}/{service}", path)


def tried(browser: Browser, address: str, path: str) -> None:
    faults: list[str] = []
    page = browser.new_page()
    page.set_default_timeout(20_000)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda sent: None if sent.url.startswith((address, "data:")) else faults.append(sent.url))
    page.goto(f"{address}/docs")
    route = page.locator(".opblock").filter(has=page.get_by_text(path, exact=True))
    route.click()
    route.get_by_role("button", name="Try it out").click()
    route.get_by_role("button", name="Execute").click()
    expect(route.locator(".live-responses-table .response-col_status").last).to_contain_text("200")
    assert faults == []
    page.close()
