"""A server that is killed and comes back at the same address, as a supervisor would bring it back."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self

from tests.support.server import ServerProcess


class Mortal:
    """``with Mortal("alfworld", "--expert") as server``: ``restep serve`` with flags; ``settings`` are RESTEP_* variables."""

    def __init__(self, service: str, *flags: str, settings: Mapping[str, str] | None = None) -> None:
        self._service, self._flags, self._settings = service, flags, settings or {}
        self._running: ServerProcess | None = None
        self._port = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.running.__exit__(kind, error, trace)

    @property
    def running(self) -> ServerProcess:
        """The process that was started last."""
        assert self._running is not None
        return self._running

    @property
    def url(self) -> str:
        """Where it is, always."""
        return self.running.url

    @property
    def pid(self) -> int:
        """Its process id now."""
        return self.running.process.pid

    def start(self) -> None:
        """Start it, or start it again."""
        command = ("-m", "trainer.cli", "serve", self._service, "--port", str(self._port), *self._flags)
        self._running = ServerProcess(command, {"RESTEP_LOG_LEVEL": "warning", **self._settings}).__enter__()
        self._port = self._running.port

    def kill(self) -> None:
        """SIGKILL."""
        self.running.process.kill()
        self.running.process.wait()
        self.running.__exit__(None, None, None)
