"""Parameters, gradients and optimiser state divided over processes: FSDP2 as accelerate sets it up.

The same from one GPU to several nodes: ``torchrun`` or ``accelerate launch`` starts the processes, and what one of them
holds shrinks with their number. Weights and their updates stay float32; where products are computed in bfloat16, weights
are cast as they are gathered, and gradients are summed in float32.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from accelerate import Accelerator, DistributedType
from accelerate.utils import FullyShardedDataParallelPlugin
from accelerate.utils.constants import FSDP_MODEL_NAME
from peft import PeftModel
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.fsdp import MixedPrecisionPolicy
from transformers import TrainingArguments

from shared.errors import RestepError
from trainer.finetune_config import Sharding
from trainer.launcher import is_on, wrapping


def is_sharded(wanted: Sharding, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this process holds a shard. ``auto``: processes on GPUs that were started together do; so do those whose
    configuration of accelerate says so. A process alone, which no launcher started, has nothing to share.
    """
    if wanted == "none" or "WORLD_SIZE" not in environment:
        return False
    return wanted == "full" or is_on("ACCELERATE_USE_FSDP", environment) or torch.cuda.is_available()


def is_plain(model: torch.nn.Module) -> bool:
    """Whether layers may be wrapped to compute their activations twice: no adapter in them, and nothing drawn at random."""
    config: Any = getattr(model, "config", None)
    named = cast("dict[str, Any]", config.to_dict() if config is not None else {})
    drops = any(isinstance(value, float) and value > 0 for name, value in named.items() if "drop" in name)
    drops = drops or any(isinstance(module, torch.nn.Dropout) and module.p > 0 for module in model.modules())
    return not drops and not isinstance(model, PeftModel)


def sharding_arguments(sharded: bool, activation_checkpointing: bool, plain: bool) -> dict[str, Any]:
    """The part of transformers' ``TrainingArguments`` that says so, and that activations are computed twice.

    Accelerate's way to compute them twice is the cheaper one for shards. But its second computation draws other random
    numbers than the first, which makes gradients wrong under dropout, and it hides adapters from PEFT; so a model that is
    not ``plain`` takes transformers' own. Of several processes the first one alone holds the weights when they are sharded
    and sends the others theirs.
    """
    twice = activation_checkpointing or (sharded and is_on("FSDP_ACTIVATION_CHECKPOINTING"))
    own = twice and not (sharded and plain)
    arguments: dict[str, Any] = {
        "activation_checkpointing": own,
        "activation_checkpointing_kwargs": {"use_reentrant": False},
        "ddp_find_unused_parameters": False,  # every row reaches every parameter
    }
    if sharded:
        arguments["fsdp"] = True
        arguments["fsdp_config"] = {
            "version": 2,
            "state_dict_type": "SHARDED_STATE_DICT",
            "activation_checkpointing": twice and not own,
            "cpu_ram_efficient_loading": int(os.environ.get("WORLD_SIZE", "1")) > 1,
            **wrapping(),
        }
    return arguments


def keep_float32(arguments: TrainingArguments) -> None:
    """Cast weights for products only: accelerate would also sum gradients, and return the loss, in bfloat16."""
    plugin = cast("dict[str, Any] | None", arguments.fsdp_plugin_args)
    if plugin is not None and arguments.bf16:
        plugin["mixed_precision_policy"] = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)


def shard_on_processors(accelerator: Accelerator, arguments: TrainingArguments) -> None:
    """Let processes without a GPU share a model as well: accelerate knows sharding on accelerators only."""
    plugin = cast("dict[str, Any] | None", arguments.fsdp_plugin_args)
    state: Any = accelerator.state
    if plugin is not None and state.distributed_type == DistributedType.MULTI_CPU:
        state.fsdp_plugin = FullyShardedDataParallelPlugin(**plugin)
        state.distributed_type = DistributedType.FSDP


def check_resumable(checkpoint: Path, sharded: bool) -> None:
    """Raises ``invalid_recipe`` where a training would go on from the shards of a whole model, or the other way round."""
    was = (checkpoint / f"{FSDP_MODEL_NAME}_0").is_dir()
    if was != sharded:
        detail = f"{checkpoint} was written {'by' if was else 'without'} sharding; start the training as before, or remove it"
        raise RestepError("invalid_recipe", detail)


def whole_state(model: torch.nn.Module, trained_only: bool) -> dict[str, torch.Tensor]:
    """Weights gathered from all shards into the memory of the first process, by their names; empty on the others.

    Every process must call it. With ``trained_only`` frozen weights are left where they are.
    """
    options = StateDictOptions(full_state_dict=True, cpu_offload=True, ignore_frozen_params=trained_only)
    return cast("dict[str, torch.Tensor]", get_model_state_dict(model, options=options))
