"""A server that is killed leaves no Java behind."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.slow

SERVER = """
import asyncio
from services.sciworld.environment import SciWorld

async def main():
    environment = SciWorld(workers=2)
    await environment.start()
    print(*(shard.pid for shard in environment.shards), flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
async def test_no_jvm_outlives_its_server(how: signal.Signals) -> None:
    root = Path(__file__).parents[3]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, cwd=root, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert process.stdout is not None
    jvms = [psutil.Process(int(pid)) for pid in (await process.stdout.readline()).split()]
    assert len(jvms) == 2
    assert all(jvm.is_running() for jvm in jvms)
    process.send_signal(how)
    await process.wait()
    gone, alive = await asyncio.to_thread(psutil.wait_procs, jvms, timeout=120)
    assert len(gone) == 2
    assert not alive
