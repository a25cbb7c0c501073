"""From what was trained to one Hugging Face folder that transformers and vLLM load.

A model that this process holds whole is saved as it is. Of one that is sharded, or of an adapter, the trained weights
are put into the base's layers, on the first process and in float32, so nothing is left in the folder of how it was trained.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, cast

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from trainer.checkpoint import Base
from trainer.finetune_config import SavedType
from trainer.lora import ADAPTER_FOLDER, merge, save_adapter
from trainer.sharding import whole_state

_TYPES: Final[dict[SavedType, torch.dtype]] = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def export(model: torch.nn.Module, base: Base, folder: Path, saved: SavedType, *, sharded: bool, writer: bool) -> None:
    """Write weights and configuration to ``folder``, and an adapter also to ``folder/adapter``.

    Every process calls it with its part of the model; the ``writer`` writes.
    """
    adapted = isinstance(model, PeftModel)
    state = whole_state(model, trained_only=adapted) if sharded else None
    if not writer:
        return
    if adapted:
        save_adapter(model, state, folder / ADAPTER_FOLDER, base.source)
        whole = merge(base.load(), folder / ADAPTER_FOLDER)
    elif state is not None:
        whole = base.placeholder()
        whole.load_state_dict(state, assign=True)  # not a second copy of all weights
        cast("Any", whole).tie_weights()
    else:
        whole = cast("PreTrainedModel", model)
    untyped: Any = whole
    untyped.config.use_cache = True  # training has no use for it; who generates with the model wants it on
    untyped.to(_TYPES[saved]).save_pretrained(folder)
