"""The cellar's server as a process that a test can kill and start again on the same port."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

_ROOT = Path(__file__).parents[2]


class CellarProcess:
    """``python -m tests.support.cellar``; settings become ``RESTEP_*`` variables."""

    def __init__(self, *, port: int = 0, token_file: Path | None = None, **settings: object) -> None:
        self.url = ""
        self._port = port
        self._arguments = [] if token_file is None else [str(token_file)]
        self._settings = {f"RESTEP_{name.upper()}": str(value) for name, value in settings.items()}
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start and wait until it announces its address; later starts take the port of the first."""
        command = [sys.executable, "-m", "tests.support.cellar", str(self._port), *self._arguments]
        environment = {**os.environ, "RESTEP_LOG_LEVEL": "warning", **self._settings}
        self._process = subprocess.Popen(command, cwd=_ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        announced = json.loads(self._process.stdout.readline())
        self.url, self._port = announced["url"], announced["port"]

    def pause(self) -> None:
        """SIGSTOP: its connections stay, and nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL. Idempotent."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
