"""Servers an experiment starts for itself: one child process each, on a free port, ended with the block that began it.

A child announces itself with one JSON line on standard output (shared/serving.py); its log goes to a file, so that a
server that does not come up can be explained by its own last words. One that dies is started again at its port.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ValidationError

from shared.errors import RestepError

log = logging.getLogger(__name__)

START_SECONDS: Final = 900.0  # vLLM with a large model takes minutes
STOP_SECONDS: Final = 20.0
_LONGEST_PAUSE: Final = 30.0


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A server that runs, and where it listens."""

    service: str
    url: str


class _Ready(BaseModel):
    url: str
    port: int


@asynccontextmanager
async def local_server(
    service: str, arguments: Sequence[str], log_file: Path, environment: Mapping[str, str] | None = None
) -> AsyncGenerator[LocalServer]:
    """Run ``restep serve SERVICE --port 0 ARGUMENTS`` for the time of the block, and again whenever it ends before.

    ``environment`` are its environment variables, this process's own where there are none. Raises ``not_ready`` with
    the last line of the log when it ends before it was ready, or says nothing within a quarter of an hour.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    child = _Child(service, arguments, log_file, environment)
    keeping: asyncio.Task[None] | None = None
    try:
        url = await child.start()
        keeping = asyncio.create_task(child.keep())
        yield LocalServer(service, url)
    finally:
        if keeping is not None:
            keeping.cancel()
        await asyncio.shield(child.stop())


class _Child:
    """The process of a server, which may be another one after a while."""

    def __init__(self, service: str, arguments: Sequence[str], log_file: Path, environment: Mapping[str, str] | None) -> None:
        self._service, self._arguments, self._log_file, self._environment = service, arguments, log_file, environment
        self._process: asyncio.subprocess.Process | None = None
        self._port = 0

    async def start(self) -> str:
        """Start it and return its address, which is the same every time. Raises ``not_ready``."""
        flags = ["--port", str(self._port), "--follow-stdin", *self._arguments]
        with self._log_file.open("ab") as errors:
            # A session of its own: Ctrl-C in the terminal reaches the experiment, which then ends its servers in order.
            process = self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "trainer.cli", "serve", self._service, *flags),
                stdin=asyncio.subprocess.PIPE,  # its end tells the server that we are gone, however we went
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env=self._environment,
                start_new_session=True,
            )
        ready = await self._announced(process)
        self._port = ready.port
        return ready.url

    async def keep(self) -> None:
        """Start it again whenever it has ended, with a growing pause while that fails; until cancelled."""
        while True:
            assert self._process is not None
            code = await self._process.wait()
            log.warning("the %s server ended with exit code %d and is started again (%s)", self._service, code, self._log_file)
            pause = 1.0
            while not await self._started_again():
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    async def _started_again(self) -> bool:
        try:
            await self.start()
        except RestepError as error:
            log.error("%s", error.detail)
            return False
        return True

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL for one that does not leave in time."""
        if self._process is None or self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()

    async def _announced(self, process: asyncio.subprocess.Process) -> _Ready:
        assert process.stdout is not None
        try:
            async with asyncio.timeout(START_SECONDS):
                async for line in process.stdout:
                    with contextlib.suppress(ValidationError):
                        return _Ready.model_validate_json(line)
                why = f"ended with exit code {await process.wait()}"
        except TimeoutError:
            why = f"was not ready within {START_SECONDS:.0f} s"
        words = _last_words(self._log_file)
        raise RestepError("not_ready", f"the {self._service} server {why}: {words} ({self._log_file})")


def _last_words(log_file: Path) -> str:
    lines = log_file.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "its log is empty"
