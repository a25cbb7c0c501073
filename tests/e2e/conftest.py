"""What tests of the whole share: one small demo, run as a user runs it, and a browser."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, sync_playwright

SMALL = (
    "name=small",
    "environments.sciworld.tasks.types=[find-living-thing, find-non-living-thing]",
    "environments.sciworld.tasks.per_type=6",
    "environments.sciworld.evaluation_tasks.types=[find-living-thing, find-non-living-thing]",
    "environments.sciworld.evaluation_tasks.per_type=2",
    "environments.alfworld.tasks.types=[look_at_obj_in_light, pick_and_place_simple]",
    "environments.alfworld.tasks.per_type=4",
    "environments.alfworld.evaluation_tasks.limit=3",
    "environments.webshop.tasks.limit=6",
    "environments.webshop.evaluation_tasks.limit=3",
    "finetune.epochs=1",
    "environments.sciworld.workers=1",
)


FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]

MARK = "RESTEP_TEST_RUNS"
"""Every process that a demo starts inherits this variable: so those it forgot can be found."""


def demo(runs: Path, *settings: str) -> subprocess.CompletedProcess[str]:
    """``restep demo`` with settings, to its end."""
    laid_over = [part for setting in settings for part in ("--set", setting)]
    command = [sys.executable, "-m", "trainer.cli", "demo", "--runs", str(runs), *laid_over]
    environment = {**os.environ, MARK: str(runs)}
    return subprocess.run(command, capture_output=True, text=True, timeout=900, check=False, env=environment)


@pytest.fixture(scope="session")
def small_demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a small run, and what the command printed."""
    runs = tmp_path_factory.mktemp("runs")
    done = demo(runs, *SMALL)
    assert done.returncode == 0, done.stderr
    return runs / "small", done.stdout


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    """The machine's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield browser
        browser.close()


def processes_marked(runs: str) -> list[int]:
    """Ids of the processes that still run on behalf of a demo in this folder."""
    return [process.pid for process in psutil.process_iter() if _environment(process).get(MARK) == runs]


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return {}
