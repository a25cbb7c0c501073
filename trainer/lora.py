"""Low-rank adapters (LoRA, arXiv 2106.09685) by PEFT: train a small part, keep a checkpoint like any other.

The adapter is kept in PEFT's own layout, which vLLM serves beside its base. What the training's folder itself holds is
the base with the adapter added into its float32 weights: one checkpoint that everything loads, and that a further arm
can be trained from.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, cast

import torch
from peft import (
    LoraConfig,
    PeftModel,
    get_peft_model,
    get_peft_model_state_dict,  # pyright: ignore[reportUnknownVariableType]  # loosely typed
)
from safetensors.torch import load_file  # pyright: ignore[reportUnknownVariableType]  # a path of any kind
from transformers import PreTrainedModel

from shared.errors import RestepError
from trainer.finetune_config import LoraOptions

ADAPTER_FOLDER: Final = "adapter"
_WEIGHTS: Final = "adapter_model.safetensors"


def attach(model: PreTrainedModel, options: LoraOptions) -> PeftModel:
    """The model with everything frozen but float32 adapters that change nothing yet.

    Raises ``invalid_recipe`` when no layer has such a name.
    """
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=options.rank,
        lora_alpha=cast("int", options.alpha),  # any number will do
        lora_dropout=options.dropout,
        target_modules=options.targets,
    )
    try:
        return cast("PeftModel", get_peft_model(model, config))
    except ValueError as error:
        raise RestepError("invalid_recipe", f"finetune.lora.targets: {' '.join(str(error).split())}") from None


def save_adapter(model: PeftModel, state: dict[str, torch.Tensor] | None, folder: Path, base: str) -> None:
    """Write the adapter in PEFT's layout; ``state`` are its weights where the model holds only shards of them."""
    config: Any = model.peft_config["default"]
    config.base_model_name_or_path = base
    config.inference_mode = True
    cast("Any", model).save_pretrained(str(folder), state_dict=state, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # a form to fill in


def merge(model: PreTrainedModel, folder: Path) -> PreTrainedModel:
    """The base, in float32, with the adapter of ``folder`` added into its weights."""
    adapted: Any = PeftModel.from_pretrained(cast("Any", model), str(folder))
    missing = get_peft_model_state_dict(adapted, save_embedding_layers=False).keys() - load_file(folder / _WEIGHTS).keys()
    if missing:  # PEFT only warns, and the result would be the base
        raise RuntimeError(f"{folder} lacks {len(missing)} weights of its layers: {min(missing)}")
    return cast("PreTrainedModel", adapted.merge_and_unload())
