"""Ctrl-C in the middle of a demo: one line, exit code 130, no server left, and nothing finished is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shared.store import TrajectoryStore
from tests.e2e.conftest import MARK, SMALL, processes_marked

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def finished(runs: Path) -> set[tuple[str, int]]:
    if not (runs / "small" / "trajectories.db").is_file():
        return set()
    store = TrajectoryStore(runs / "small" / "trajectories.db")
    try:
        return store.finished("golden/sciworld")
    finally:
        store.close()


def test_an_interrupt_keeps_what_was_finished(tmp_path: Path) -> None:
    settings = [part for setting in SMALL for part in ("--set", setting)]
    command = [sys.executable, "-m", "trainer.cli", "collect", "golden", "demo", "--runs", str(tmp_path), *settings]
    environment = {**os.environ, MARK: str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        while not (before := finished(tmp_path)):
            assert process.poll() is None, process.communicate()
            time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert errors.strip().splitlines()[-1].startswith("restep: interrupted")
    assert "Traceback" not in errors
    assert before <= finished(tmp_path)
    assert not processes_marked(str(tmp_path))

    again = subprocess.run([*command], capture_output=True, text=True, timeout=300, check=False)
    assert again.returncode == 0, again.stderr
    assert len(finished(tmp_path)) == 12
