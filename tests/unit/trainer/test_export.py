"""The folder a training ends in, of one process; tests/unit/trainer/test_sharding.py has that of several."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file  # pyright: ignore[reportUnknownVariableType]  # a path of any kind

from tests.support.tiny_model import tiny_checkpoint
from trainer.checkpoint import open_base
from trainer.export import export
from trainer.finetune_config import LoraOptions, SavedType
from trainer.lora import attach


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("saved", ["float32", "bfloat16"])
def test_a_whole_model_is_saved_in_the_type_asked_for(saved: SavedType, tied: bool, tmp_path: Path) -> None:
    base = open_base(str(tiny_checkpoint(tmp_path / "base", tied=tied)))
    model = base.load()
    model.config.use_cache = False
    export(model, base, tmp_path / "out", saved, sharded=False, writer=True)
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["use_cache"] is True
    assert config["dtype"] == saved
    before, after = (load_file(tmp_path / name / "model.safetensors") for name in ("base", "out"))
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name].to(getattr(torch, saved))) for name in before)


def test_an_adapter_is_saved_beside_the_whole_it_makes_of_the_float32_base(tmp_path: Path) -> None:
    base = open_base(str(tiny_checkpoint(tmp_path / "base")))
    model = attach(base.load(torch.bfloat16), LoraOptions(rank=2))
    export(model, base, tmp_path / "out", "float32", sharded=False, writer=True)
    before, after = (load_file(tmp_path / name / "model.safetensors") for name in ("base", "out"))
    assert all(torch.equal(after[name], before[name]) for name in before)  # not rounded to what was computed with
    assert (tmp_path / "out" / "adapter" / "adapter_model.safetensors").is_file()


def test_who_does_not_write_writes_nothing(tmp_path: Path) -> None:
    base = open_base(str(tiny_checkpoint(tmp_path / "base")))
    export(base.load(), base, tmp_path / "out", "float32", sharded=False, writer=False)
    assert not (tmp_path / "out").exists()
