"""A real vLLM on a port of its own, as a user would have it run somewhere: its OpenAI routes, a checkpoint behind them."""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx

from services.agent.checkpoint import open_checkpoint
from services.agent.settings import AgentSettings
from services.agent.vllm import launch
from services.agent.vllm.process import BASE_NAME, arguments, find_vllm
from shared.serving import bind

START_SECONDS = 300
__all__ = ["BASE_NAME", "vllm_server"]


@asynccontextmanager
async def vllm_server(python: Path, checkpoint: Path, settings: AgentSettings, log: Path) -> AsyncGenerator[str]:
    """Serve ``checkpoint`` by the interpreter that has vLLM, with its output in ``log``; yields ``http://.../v1``."""
    listener = bind("127.0.0.1", 0)
    port = listener.getsockname()[1]
    listener.close()
    given = arguments(settings, open_checkpoint(str(checkpoint)), await find_vllm(python))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("RESTEP_", "PYTHON"))}
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            str(python),
            launch.__file__,
            *["--host", "127.0.0.1", "--port", str(port), *given],
            stdin=PIPE,  # its end would mean that we are gone
            stdout=output,
            stderr=output,
            env={**inherited, "OMP_NUM_THREADS": "2", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"},
            cwd=log.parent,
            start_new_session=True,
        )
    try:
        await _ready(f"http://127.0.0.1:{port}/health", process, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _ready(url: str, process: asyncio.subprocess.Process, log: Path) -> None:
    async with asyncio.timeout(START_SECONDS), httpx.AsyncClient(trust_env=False) as client:
        while True:
            assert process.returncode is None, await asyncio.to_thread(log.read_text)
            with suppress(httpx.TransportError):
                if (await client.get(url)).is_success:
                    return
            await asyncio.sleep(0.25)
