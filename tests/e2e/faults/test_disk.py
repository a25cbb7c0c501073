"""A disk that fills under a run's folder: the command ends with one line, and goes on when there is room."""

from __future__ import annotations

import asyncio
import os
import resource
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final, Protocol

import pytest
from rich.console import Console

from services.envserver.app import create_app
from shared.settings import EnvironmentSettings
from shared.store import TrajectoryStore
from tests.e2e.faults.conftest import Unbroken, recipe_of
from tests.support.corridor import CorridorWorld
from tests.support.corridor_model import corridor_model
from tests.support.driver import Driver
from tests.support.held_command import Held
from tests.support.live import live
from tests.support.model_server import Act, model_server
from tests.support.run_plan import RUN, Plan
from tests.support.runs import of_run
from tests.support.same_run import assert_same_run, finished
from tests.support.taught import UNITS, collect_taught
from tests.support.tiny_model import tiny_checkpoint
from trainer.experiment import Experiment
from trainer.finetune import FinetuneResult, load_card
from trainer.recipe import load_recipe
from trainer.teacher.cache import content_key
from trainer.teacher.ledger import TEACHER, Ledger
from trainer.training_folder import TrainingFolder

pytestmark = pytest.mark.slow

SAVE_STEPS: Final = 3
HALF: Final = 100_000
"""Bytes: too few for the weights, so that a part of them is written."""
TRAINING: Final[dict[str, object]] = {
    "epochs": 3,
    "learning_rate": 3e-3,
    "batch_tokens": 4096,
    "pack_tokens": 2048,
    "save_steps": SAVE_STEPS,
    "threads": 1,
    "device": "cpu",
}


class Fill(Protocol):
    """Leaves no room for a process, given its id, or so many bytes of it."""

    def __call__(self, process: int, room: int = 0) -> None: ...


Filling = tuple[Path, Fill, Callable[[], None]]


@pytest.fixture
def filling(tmp_path: Path) -> Iterator[Filling]:
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

    def fill(process: int, room: int = 0) -> None:
        del process
        with ballast.open("wb", buffering=0) as file:
            with suppress(OSError):
                while file.write(bytes(4096)):
                    pass
            file.truncate(file.tell() - room)

    yield folder, fill, ballast.unlink
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _limit(process: int, room: int = 0) -> None:
    resource.prlimit(process, resource.RLIMIT_FSIZE, (max(1, room), resource.RLIM_INFINITY))


async def test_a_disk_that_fills(filling: Filling, houses: Plan, unbroken: Unbroken, tmp_path: Path) -> None:
    expected = await asyncio.to_thread(unbroken, houses)
    folder, fill, make_room = filling
    recipe = recipe_of(houses, tmp_path)
    (folder / recipe.stem).mkdir()
    command = ["-m", "trainer.cli", "collect", "golden", str(recipe), "--runs", str(folder)]
    async with Driver(str(folder / recipe.stem / "trajectories.db"), command, "golden/alfworld") as driver:
        await driver.reached(2)
        fill(driver.process.pid)
        code, _, errors = await driver.ended()
        assert_one_line(code, errors)
        before = finished(driver.store, driver.run)
        assert 2 <= len(before) < 12
        make_room()
        await driver.start()
        code, _, errors = await driver.ended()
        assert code == 0, errors
        assert_same_run(driver.store, expected, before, driver.run)
    assert not list(folder.rglob("*.partial")), os.listdir(folder)


def assert_one_line(code: int | None, errors: str) -> None:
    """What is said when there is no room."""
    last = errors.strip().splitlines()[-1]
    assert code == 1, errors
    assert last.startswith("restep: "), errors
    assert last.endswith("[store_failed]"), errors
    assert "Traceback" not in errors


async def test_a_disk_that_fills_under_a_fine_tuning(
    filling: Filling, houses: Plan, unbroken: Unbroken, tmp_path: Path
) -> None:
    """While a checkpoint is written, and then while the model is: nothing is trained twice, and the weights are the same."""
    golden = await asyncio.to_thread(unbroken, houses)
    folder, fill, make_room = filling
    base = tiny_checkpoint(tmp_path / "tiny", context=2048)
    recipe = recipe_of(houses, tmp_path, base=str(base), finetune=TRAINING)
    for runs in (tmp_path / "whole", folder):
        (runs / recipe.stem).mkdir(parents=True)
        with TrajectoryStore(runs / recipe.stem / "trajectories.db") as store:
            for document in golden.trajectories(RUN):
                store.commit(of_run(document, "golden/alfworld"), kept=True)

    async def train(runs: Path) -> FinetuneResult:
        async with Experiment(load_recipe(str(recipe)), runs, Console(quiet=True)) as experiment:
            return await experiment.train("one")

    whole = await train(tmp_path / "whole")
    assert whole.steps > 2 * SAVE_STEPS, "there is a checkpoint before the one that finds no room"

    arm = folder / recipe.stem / "arms" / "one"
    command = ["finetune", str(recipe), "one", "--runs", str(folder)]
    with TrajectoryStore(folder / recipe.stem / "trajectories.db") as store:
        collected = finished(store, "golden/alfworld")
        for moment, kept in ((f"checkpoint:{2 * SAVE_STEPS}", SAVE_STEPS), ("export", whole.steps)):
            with Held(moment, command) as held:
                fill(held.process.pid, HALF)
                code, errors = held.go_on()
            assert_one_line(code, errors)
            make_room()
            checkpoint = TrainingFolder(arm).last_checkpoint()
            assert checkpoint is not None
            assert checkpoint[1] == kept
            assert load_card(arm) is None
            trained = [line for line in TrainingFolder(arm).metrics() if line["step"] <= kept]
            assert [line["step"] for line in trained] == list(range(1, kept + 1))
        done = await train(folder)
        assert done.curve == trained, "no step was made again after the last checkpoint"
        assert finished(store, "golden/alfworld") == collected
    assert [line["loss"] for line in done.curve] == [line["loss"] for line in whole.curve]
    expected = tmp_path / "whole" / recipe.stem / "arms" / "one"
    assert (arm / "model.safetensors").read_bytes() == (expected / "model.safetensors").read_bytes()
    assert not list(folder.rglob("*.partial"))


async def test_a_disk_that_fills_under_a_language_model_as_teacher(filling: Filling, tmp_path: Path) -> None:
    """While it writes an answer: that one alone is asked for again, and the books hold what an unbroken run's hold."""
    folder, fill, make_room = filling
    asked: list[str] = []
    fills_at: int | None = None

    def answer(body: dict[str, Any]) -> Act:
        asked.append(content_key(body))
        if len(asked) == fills_at:
            fill(driver.process.pid)
        return corridor_model(body)

    async with live(create_app(CorridorWorld(), EnvironmentSettings(expert=True))) as server, model_server(answer) as model:
        await collect_taught(server, model.url, str(tmp_path / "whole.db"))
        unbroken, fills_at = asked.copy(), len(asked) // 2
        asked.clear()
        store = str(folder / "run.db")
        async with Driver(store, ["-m", "tests.support.taught", server, model.url, store]) as driver:
            code, _, errors = await driver.ended()
            assert_one_line(code, errors)
            before = finished(driver.store)
            assert 0 < len(before) < UNITS
            make_room()
            await driver.start()
            code, out, errors = await driver.ended()
            assert (code, out) == (0, f"{UNITS}\n"), errors
            with TrajectoryStore(tmp_path / "whole.db") as whole:
                assert_same_run(driver.store, whole, before)
                spent, expected = (Ledger(one.books(TEACHER)).spending() for one in (driver.store, whole))
    assert asked == [*unbroken[:fills_at], *unbroken[fills_at - 1 :]]
    assert spent.model_copy(update={"cache_hits": expected.cache_hits}) == expected
    with closing(sqlite3.connect(store)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
