"""``restep finetune`` under torchrun and accelerate: the documented commands, with the model divided over two processes."""

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


TORCHRUN = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
ACCELERATE = ["accelerate.commands.launch", "--main_process_port", "0", "--config_file"]
CONFIGURATION = {
    "compute_environment": "LOCAL_MACHINE",
    "distributed_type": "FSDP",
    "num_machines": 1,
    "num_processes": 2,
    "machine_rank": 0,
    "mixed_precision": "no",
    "use_cpu": False,
    "fsdp_config": {
        "fsdp_version": 2,
        "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
        "fsdp_transformer_layer_cls_to_wrap": "LlamaDecoderLayer",
        "fsdp_reshard_after_forward": True,
        "fsdp_state_dict_type": "SHARDED_STATE_DICT",
        "fsdp_cpu_ram_efficient_loading": True,
        "fsdp_activation_checkpointing": True,
    },
}
"""As ``accelerate config`` writes it for two processes that share a model by FSDP2."""


async def _finetune(launcher: list[str], runs: Path, arm: str) -> tuple[int, str, str]:
    restep = ["-m", "trainer.cli", "finetune", str(runs / "ranks.yaml"), arm, "--runs", str(runs)]
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", *launcher, *restep],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    told, complaints = await process.communicate()
    return process.returncode or 0, told.decode(), complaints.decode()


async def test_two_processes_train_arms_with_no_server_left(tmp_path: Path) -> None:
    """The first launcher trains an arm and the one it starts from, the other shards by accelerate's own configuration."""
    settings = {"epochs": 1, "pack_tokens": 2048, "batch_tokens": 4096, "device": "cpu"}
    async with live(create_app(CorridorWorld(), EnvironmentSettings(expert=True))) as url:
        fields = {
            "name": "ranks",
            "base": str(tiny_checkpoint(tmp_path / "tiny", context=4096)),
            "environments": {
                "corridor": {"url": url, "tasks": {"limit": 6}, "evaluation_tasks": {"limit": 2, "split": "test"}}
            },
            "finetune": {**settings, "sharding": "full"},
            "arms": {
                "first": {"data": ["golden_u1"]},
                "second": {"data": ["golden_u2"], "start": "first"},
                "third": {"data": ["golden_u1", "golden_u2"], "start": "second"},
            },
            "student": "first",
            "reference": "first",
        }
        async with Experiment(Recipe.model_validate(fields), tmp_path, Console(quiet=True)) as experiment:
            await experiment.golden()
    (tmp_path / "ranks.yaml").write_text(yaml.safe_dump(fields))
    code, told, complaints = await _finetune(TORCHRUN, tmp_path, "second")
    assert code == 0, complaints[-3000:]
    assert told.count("training second") == 1  # one of them speaks
    assert load_card(tmp_path / "ranks" / "arms" / "first") is not None
    assert load_card(tmp_path / "ranks" / "arms" / "second") is not None

    (tmp_path / "ranks.yaml").write_text(yaml.safe_dump(fields | {"finetune": settings}))
    (tmp_path / "fsdp.yaml").write_text(yaml.safe_dump(CONFIGURATION))
    code, told, complaints = await _finetune([*ACCELERATE, str(tmp_path / "fsdp.yaml")], tmp_path, "third")
    assert code == 0, complaints[-3000:]
    assert told.count("training third") == 1
    card = load_card(tmp_path / "ranks" / "arms" / "third")
    assert card is not None
    assert card.config["sharding"] == "auto"
    assert "restep.json" in os.listdir(tmp_path / "ranks" / "arms" / "third")
