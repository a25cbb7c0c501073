"""Servers an experiment starts for itself: one child process each, on a free port, ended with the block that began it.

A child announces itself with one JSON line on standard output (shared/serving.py); its log goes to a file, so that a
server that does not come up can be explained by its own last words.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError

from shared.errors import RestepError

START_SECONDS = 900.0  # vLLM with a large model takes minutes
STOP_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A server that runs: where it listens, and its process id."""

    service: str
    url: str
    pid: int


class _Ready(BaseModel):
    url: str


@asynccontextmanager
async def local_server(
    service: str, arguments: Sequence[str], log_file: Path, environment: Mapping[str, str] | None = None
) -> AsyncGenerator[LocalServer]:
    """Run ``restep serve SERVICE --port 0 ARGUMENTS`` for the time of the block.

    ``environment`` are its environment variables, this process's own where there are none. Raises ``not_ready`` with
    the last line of the log when the server ends or says nothing within a quarter of an hour.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "trainer.cli", "serve", service, "--port", "0", "--follow-stdin", *arguments]
    with log_file.open("ab") as log:
        # A session of its own: Ctrl-C in the terminal reaches the experiment, which then ends its servers in order.
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,  # its end tells the server that we are gone, however we went
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
    try:
        url = await _announced(process, service, log_file)
        yield LocalServer(service, url, process.pid)
    finally:
        await asyncio.shield(_stop(process))


async def _announced(process: asyncio.subprocess.Process, service: str, log_file: Path) -> str:
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_SECONDS):
            async for line in process.stdout:
                with contextlib.suppress(ValidationError):
                    return _Ready.model_validate_json(line).url
        why = f"ended with exit code {await process.wait()}"
    except TimeoutError:
        why = f"was not ready within {START_SECONDS:.0f} s"
    words = _last_words(log_file)
    raise RestepError("not_ready", f"the {service} server {why}: {words} ({log_file})")


def _last_words(log_file: Path) -> str:
    lines = log_file.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "its log is empty"


async def _stop(process: asyncio.subprocess.Process) -> None:
    """SIGTERM, and SIGKILL for one that does not leave in time."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
