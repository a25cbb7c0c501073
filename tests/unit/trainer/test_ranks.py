"""Processes that train do not outlive the one that started them."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

PARENT = """
import time
from multiprocessing import get_context
from trainer.ranks import end_with_parent

def child(pipe):
    end_with_parent()
    pipe.send("ready")
    time.sleep(600)

if __name__ == "__main__":
    here, there = get_context("spawn").Pipe()
    started = get_context("spawn").Process(target=child, args=(there,))
    started.start()
    here.recv()
    print(started.pid, flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_ends_with_the_one_that_started_it(tmp_path: Path, how: signal.Signals) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    root = Path(__file__).parents[3]
    command = [sys.executable, str(script)]
    with subprocess.Popen(command, cwd=root, env={"PYTHONPATH": str(root)}, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        assert child.is_running()
        parent.send_signal(how)
        parent.wait()
    gone, _ = psutil.wait_procs([child], timeout=60)
    assert gone
