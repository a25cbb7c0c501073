"""A disk that fills under a run's folder: the command ends with one line, and goes on when there is room."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.faults.conftest import Unbroken, recipe_of
from tests.support.driver import Driver
from tests.support.run_plan import Plan
from tests.support.same_run import assert_same_run, finished

pytestmark = pytest.mark.slow

Fill = Callable[[int], None]
"""Leaves no room for a process, given its id."""


@pytest.fixture
def filling(tmp_path: Path) -> Iterator[tuple[Path, Fill, Callable[[], None]]]:
    """A folder, what leaves no room in it, and what makes room again.

    A small disk; where none may be mounted, a limit on the size of the process's files: the same writes fail.
    """
    folder = tmp_path / "runs"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        yield folder, _limit, lambda: None
        return
    ballast = folder / "ballast"

    def fill(_: int) -> None:
        with ballast.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)):
                pass

    yield folder, fill, ballast.unlink
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _limit(process: int) -> None:
    resource.prlimit(process, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))


async def test_a_disk_that_fills(
    filling: tuple[Path, Fill, Callable[[], None]], houses: Plan, unbroken: Unbroken, tmp_path: Path
) -> None:
    expected = await asyncio.to_thread(unbroken, houses)
    folder, fill, make_room = filling
    recipe = recipe_of(houses, tmp_path)
    (folder / recipe.stem).mkdir()
    command = ["-m", "trainer.cli", "collect", "golden", str(recipe), "--runs", str(folder)]
    async with Driver(str(folder / recipe.stem / "trajectories.db"), command, "golden/alfworld") as driver:
        await driver.reached(2)
        fill(driver.process.pid)
        code, _, errors = await driver.ended()
        last = errors.strip().splitlines()[-1]
        assert code == 1
        assert last.startswith("restep: ")
        assert last.endswith("[store_failed]")
        assert "Traceback" not in errors
        before = finished(driver.store, driver.run)
        assert 2 <= len(before) < 12
        make_room()
        await driver.start()
        code, _, errors = await driver.ended()
        assert code == 0, errors
        assert_same_run(driver.store, expected, before, driver.run)
    assert not list(folder.rglob("*.partial")), os.listdir(folder)
