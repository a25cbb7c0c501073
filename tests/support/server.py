"""A server as a process of its own, started the way a user's is: port 0, the announced line, SIGTERM."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 60


class ServerProcess:
    """``with ServerProcess(["-m", "some.server"]) as server: server.url``. ``arguments`` are the interpreter's."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self._errors = tempfile.TemporaryFile("w+b")  # noqa: SIM115 - closed by __exit__; a pipe would fill up
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("RESTEP_")}
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**inherited, "PYTHONPATH": str(ROOT), **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        self.url = ""
        self.port = 0

    def __enter__(self) -> Self:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.stop()
            raise AssertionError(f"the server did not start: {self.errors()}")
        announced = orjson.loads(line)
        self.url, self.port = announced["url"], announced["port"]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._errors.close()

    def stop(self) -> int:
        """SIGTERM, then the exit code."""
        self.process.terminate()
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def errors(self) -> str:
        """What it has written to standard error."""
        self._errors.seek(0)
        return self._errors.read().decode()
