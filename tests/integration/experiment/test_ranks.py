"""``restep finetune`` under torchrun: the documented command, with the model divided over two processes."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from services.envserver.app import create_app
from shared.settings import EnvironmentSettings
from tests.support.corridor import CorridorWorld
from tests.support.live import live
from tests.support.tiny_model import tiny_checkpoint
from trainer.experiment import Experiment
from trainer.finetune import load_card
from trainer.recipe import Recipe

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]


async def test_two_processes_train_an_arm_and_the_one_it_starts_from(tmp_path: Path) -> None:
    async with live(create_app(CorridorWorld(), EnvironmentSettings(expert=True))) as url:
        fields = {
            "name": "ranks",
            "base": str(tiny_checkpoint(tmp_path / "tiny", context=4096)),
            "environments": {
                "corridor": {"url": url, "tasks": {"limit": 6}, "evaluation_tasks": {"limit": 2, "split": "test"}}
            },
            "finetune": {"epochs": 1, "pack_tokens": 2048, "batch_tokens": 4096, "device": "cpu", "sharding": "full"},
            "arms": {"first": {"data": ["golden_u1"]}, "second": {"data": ["golden_u2"], "start": "first"}},
            "student": "first",
            "reference": "first",
        }
        async with Experiment(Recipe.model_validate(fields), tmp_path, Console(quiet=True)) as experiment:
            await experiment.golden()
        (tmp_path / "ranks.yaml").write_text(yaml.safe_dump(fields))
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        restep = ["-m", "trainer.cli", "finetune", str(tmp_path / "ranks.yaml"), "second", "--runs", str(tmp_path)]
        process = await asyncio.create_subprocess_exec(
            *torchrun,
            *restep,
            env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        told, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()[-3000:]
    assert told.decode().count("training second") == 1  # one of them speaks
    for arm in ("first", "second"):
        assert load_card(tmp_path / "ranks" / "arms" / arm) is not None
    assert "restep.json" in os.listdir(tmp_path / "ranks" / "arms" / "second")
