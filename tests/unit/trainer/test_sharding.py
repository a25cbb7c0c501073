"""A model divided over ranks: trained as one that is whole, resumed to the bit, and exported as one checkpoint."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file  # pyright: ignore[reportUnknownVariableType]  # a path of any kind
from transformers import AutoModelForCausalLM

from services.agent.adapter import open_adapter
from shared.errors import RestepError
from tests.support.sharded_process import LORA, TWICE, config
from tests.support.tiny_model import tiny_checkpoint
from tests.support.trajectories import sample
from trainer.checkpoint import open_base
from trainer.finetune import finetune, load_card
from trainer.finetune_config import LoraOptions
from trainer.lora import attach
from trainer.sharding import check_resumable, is_plain, is_sharded, sharding_arguments

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def runs(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that :mod:`tests.support.sharded_process` filled on two ranks."""
    folder = tmp_path_factory.mktemp("runs")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*torchrun, str(ROOT / "tests/support/sharded_process.py"), str(base), str(folder)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def _losses(folder: Path) -> list[float]:
    card = load_card(folder)
    assert card is not None
    return [line["loss"] for line in card.curve]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "given"), [("whole", TWICE), ("lora", LORA)])
def test_ranks_with_shards_train_what_one_process_does(
    name: str, given: dict[str, object], base: Path, runs: Path, tmp_path: Path
) -> None:
    alone = finetune(config(base, tmp_path / "out", **given), sample())
    losses = _losses(runs / name)
    assert losses == pytest.approx([line["loss"] for line in alone.curve], rel=1e-5)
    assert losses[-1] < losses[0]
    assert {path.name for path in (runs / name).iterdir()} == {path.name for path in (tmp_path / "out").iterdir()}
    expected, found = (load_file(folder / "model.safetensors") for folder in (tmp_path / "out", runs / name))
    assert expected.keys() == found.keys()
    assert all(torch.allclose(found[key], expected[key], atol=1e-4) for key in expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["whole", "lora"])
def test_stopped_and_resumed_from_shards_equals_unbroken_to_the_bit(name: str, runs: Path) -> None:
    again = runs / f"{name}-resumed"
    assert _losses(again) == _losses(runs / name)
    expected, found = (load_file(folder / "model.safetensors") for folder in (runs / name, again))
    assert all(torch.equal(found[key], expected[key]) for key in expected)


@pytest.mark.slow
def test_activations_computed_twice_give_the_same_also_with_dropout(runs: Path) -> None:
    assert _losses(runs / "dropout") == _losses(runs / "dropout-kept")


@pytest.mark.slow
def test_what_shards_learnt_is_one_folder_that_anything_loads(runs: Path, base: Path) -> None:
    before = load_file(base / "model.safetensors")
    after = load_file(runs / "lora" / "model.safetensors")
    assert after.keys() == before.keys()
    assert sum(not torch.equal(after[key], before[key]) for key in before) == 14  # two layers of seven projections
    for name in ("whole", "lora"):
        loaded: Any = AutoModelForCausalLM.from_pretrained(runs / name, output_loading_info=True)
        assert not any(loaded[1].values())
    assert open_adapter(str(runs / "lora" / "adapter"), None).rank == 4


@pytest.mark.parametrize(
    ("wanted", "environment", "sharded"),
    [
        ("auto", {}, False),
        ("full", {}, False),  # nothing to share with
        ("full", {"WORLD_SIZE": "1"}, True),
        ("auto", {"WORLD_SIZE": "2"}, torch.cuda.is_available()),
        ("auto", {"WORLD_SIZE": "2", "ACCELERATE_USE_FSDP": "true"}, True),
        ("none", {"WORLD_SIZE": "2", "ACCELERATE_USE_FSDP": "true"}, False),
    ],
)
def test_who_shards(wanted: str, environment: dict[str, str], sharded: bool) -> None:
    assert is_sharded(wanted, environment) == sharded  # pyright: ignore[reportArgumentType]  # a literal's values


def test_layers_that_draw_or_hold_adapters_are_not_wrapped(base: Path) -> None:
    plain = open_base(str(base)).load()
    assert is_plain(plain)
    assert sharding_arguments(True, True, plain=True)["fsdp_config"]["activation_checkpointing"]
    assert sharding_arguments(True, True, plain=False)["activation_checkpointing"]
    assert not sharding_arguments(True, True, plain=False)["fsdp_config"]["activation_checkpointing"]
    plain.config.attention_dropout = 0.1
    assert not is_plain(plain)
    assert not is_plain(attach(open_base(str(base)).load(), LoraOptions()))


def test_accelerates_word_on_activations_counts_among_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FSDP_ACTIVATION_CHECKPOINTING", "true")
    assert sharding_arguments(True, False, plain=True)["fsdp_config"]["activation_checkpointing"]
    assert sharding_arguments(True, False, plain=False)["activation_checkpointing"]
    assert not sharding_arguments(False, False, plain=True)["activation_checkpointing"]


def test_of_several_processes_one_reads_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    for count, sent in (("1", False), ("2", True)):
        monkeypatch.setenv("WORLD_SIZE", count)
        assert sharding_arguments(True, False, plain=True)["fsdp_config"]["cpu_ram_efficient_loading"] is sent


def test_shards_do_not_pass_for_a_whole_model(tmp_path: Path) -> None:
    check_resumable(tmp_path, sharded=False)
    with pytest.raises(RestepError, match="without sharding"):
        check_resumable(tmp_path, sharded=True)
    (tmp_path / "pytorch_model_fsdp_0").mkdir()
    check_resumable(tmp_path, sharded=True)
    with pytest.raises(RestepError, match="by sharding") as caught:
        check_resumable(tmp_path, sharded=False)
    assert caught.value.code == "invalid_recipe"
