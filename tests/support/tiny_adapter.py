"""A LoRA adapter of a tiny checkpoint in PEFT's layout, and the same weights merged into the base."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file, save_file  # pyright: ignore[reportUnknownVariableType]  # a path of any kind
from transformers import AutoModelForCausalLM, AutoTokenizer

_SCALE: Final = 2.0
_TARGETS: Final = ("q_proj", "v_proj")


def tiny_adapter(path: Path, base: Path, *, seed: int = 0, rank: int = 4) -> Path:
    """Write random, strong adapters of the query and value projections to ``path``."""
    path.mkdir(parents=True)
    generator = torch.Generator().manual_seed(seed)
    weights: dict[str, torch.Tensor] = {}
    for name, weight in load_file(base / "model.safetensors").items():
        if name.endswith(tuple(f"{target}.weight" for target in _TARGETS)):
            stem = f"base_model.model.{name.removesuffix('.weight')}"
            weights[f"{stem}.lora_A.weight"] = 0.3 * torch.randn(rank, weight.shape[1], generator=generator)
            weights[f"{stem}.lora_B.weight"] = 0.3 * torch.randn(weight.shape[0], rank, generator=generator)
    save_file(weights, path / "adapter_model.safetensors")
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": str(base),
        "r": rank,
        "lora_alpha": _SCALE * rank,
        "lora_dropout": 0.0,
        "target_modules": list(_TARGETS),
        "bias": "none",
    }
    (path / "adapter_config.json").write_text(json.dumps(config))
    return path


def merged(path: Path, base: Path, adapter: Path) -> Path:
    """Write ``base`` with the adapter added into its weights to ``path``."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    parts = load_file(adapter / "adapter_model.safetensors")
    with torch.no_grad():
        for name, weight in model.named_parameters():
            stem = f"base_model.model.{name.removesuffix('.weight')}"
            if f"{stem}.lora_A.weight" in parts:
                weight += _SCALE * parts[f"{stem}.lora_B.weight"] @ parts[f"{stem}.lora_A.weight"]
    model.save_pretrained(path)
    AutoTokenizer.from_pretrained(base).save_pretrained(path)
    return path
