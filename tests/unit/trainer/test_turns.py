import asyncio
import sys
from pathlib import Path

import pytest

from shared.errors import RestepError
from trainer.turns import turn

_HOLD = """
import asyncio, sys
from pathlib import Path
from trainer.turns import turn
async def hold():
    async with turn(Path(sys.argv[1])):
        sys.stdout.write("held\\n")
        sys.stdout.flush()
        await asyncio.sleep(3600)
asyncio.run(hold())
"""


async def test_one_at_a_time(tmp_path: Path) -> None:
    inside = most = 0

    async def work() -> None:
        nonlocal inside, most
        async with turn(tmp_path / "locks" / "train"):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.01)
            inside -= 1

    await asyncio.gather(*(work() for _ in range(3)))
    assert most == 1


async def test_the_turn_of_a_killed_process_is_over(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    holder = await asyncio.create_subprocess_exec(sys.executable, "-c", _HOLD, str(lock), stdout=asyncio.subprocess.PIPE)
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"held\n"
    waiting = asyncio.create_task(_take(lock))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    holder.kill()
    await holder.wait()
    await waiting


async def test_a_lock_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RestepError, match="store_failed"):
        await _take(tmp_path / "file" / "lock")


async def _take(lock: Path) -> None:
    async with turn(lock):
        pass
