"""A collecting process may be killed at any moment: what it finished stays, and what comes of going on is the same."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import pytest

from services.agent.app import create_app as create_agent
from services.agent.settings import AgentSettings
from services.envserver.app import create_app
from shared.settings import EnvironmentSettings
from shared.store import TrajectoryStore
from tests.support.collector import ATTEMPTS, collect_all
from tests.support.corridor import CorridorWorld
from tests.support.live import live
from tests.support.tiny_model import tiny_checkpoint

ROOT = Path(__file__).parents[3]
TASKS = 8


@pytest.fixture
async def server() -> AsyncGenerator[str]:
    async with live(create_app(CorridorWorld(), EnvironmentSettings(expert=True))) as url:
        yield url


@pytest.fixture
async def agent(tmp_path: Path) -> AsyncGenerator[list[str]]:
    """A real agent service with random weights: address and checkpoint."""
    checkpoint = str(tiny_checkpoint(tmp_path / "tiny", context=2048))
    async with live(create_agent(AgentSettings(checkpoint=checkpoint, kv_mib=64))) as url:
        yield [url, checkpoint]


async def start(kind: str, server: str, database: str | Path, agent: Sequence[str] = ()) -> Process:
    program = "import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    script = str(ROOT / "tests/support/collector.py")
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, script, kind, server, str(database), *agent, cwd=ROOT, stdout=PIPE, stderr=PIPE
    )


async def wait_for_units(store: TrajectoryStore, count: int, process: Process) -> int:
    while len(store.finished("run")) < count:
        assert process.returncode is None, "it ended before it could be interrupted"
        await asyncio.sleep(0.02)
    return len(store.finished("run"))


def contents(store: TrajectoryStore) -> list[tuple[str, int, bool, str]]:
    return [(unit.task_id, unit.attempt, unit.kept, unit.trajectory_id) for unit in store.units("run")]


async def interrupted(kind: str, number: signal.Signals, server: str, folder: Path, agent: Sequence[str] = ()) -> None:
    """Interrupt a collection twice, let it end, and compare with one that was left alone."""
    units = TASKS * ATTEMPTS[kind]
    with TrajectoryStore(folder / "broken.db") as broken, TrajectoryStore(folder / "unbroken.db") as unbroken:
        before: list[tuple[str, int, bool, str]] = []
        for count in (3, units // 3):
            process = await start(kind, server, folder / "broken.db", agent)
            finished = await wait_for_units(broken, count, process)
            process.send_signal(number)
            await process.communicate()
            assert process.returncode != 0
            assert set(before) <= set(contents(broken))
            before = contents(broken)
            assert finished <= len(before) < units
        process = await start(kind, server, folder / "broken.db", agent)
        out, err = await process.communicate()
        assert (process.returncode, out.decode()) == (0, f"{units}\n"), err.decode()
        await collect_all(kind, server, str(folder / "unbroken.db"), agent)
        assert contents(broken) == contents(unbroken)
        assert broken.failures("run") == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
async def test_golden_collection(number: signal.Signals, server: str, tmp_path: Path) -> None:
    await interrupted("golden", number, server, tmp_path)


@pytest.mark.slow
async def test_reflected_collection_with_a_fixed_player(server: str, tmp_path: Path) -> None:
    await interrupted("scripted", signal.SIGKILL, server, tmp_path)


@pytest.mark.slow
async def test_reflected_collection_with_a_sampled_student(server: str, agent: list[str], tmp_path: Path) -> None:
    await interrupted("student", signal.SIGKILL, server, tmp_path, agent)
