"""What ``accelerate launch`` was configured to do, as its environment variables tell a process: taken over, or refused.

Much of a configuration of accelerate is for scripts that leave the decision to it. Here the recipe decides; what it
cannot follow is refused before anything is loaded, because a training that silently does something else is worse.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from shared.errors import RestepError
from trainer.finetune_config import FinetuneOptions

_YES: Final = ("1", "true", "yes")
_REFUSED: Final = {
    "ACCELERATE_USE_DEEPSPEED": "DeepSpeed; take distributed_type: FSDP",
    "ACCELERATE_USE_MEGATRON_LM": "Megatron-LM; take distributed_type: FSDP",
    "ACCELERATE_USE_PARALLELISM_CONFIG": "parallelism_config; models are sharded by FSDP2 alone",
    "FSDP_OFFLOAD_PARAMS": "fsdp_offload_params; shards stay where they are computed with",
    "FSDP_ACTIVATION_CHECKPOINTING_OFFLOAD": "fsdp_activation_checkpointing_offload; activations are computed twice instead",
}
"""Switches that are followed nowhere."""


def is_on(name: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a switch of accelerate is on."""
    return environment.get(name, "").lower() in _YES


def wrapping(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """The part of transformers' ``fsdp_config`` that says which layers are gathered at once, and whether they stay."""
    policy = environment.get("FSDP_AUTO_WRAP_POLICY", "TRANSFORMER_BASED_WRAP")
    found: dict[str, Any] = {
        "reshard_after_forward": is_on("FSDP_RESHARD_AFTER_FORWARD", {"FSDP_RESHARD_AFTER_FORWARD": "true", **environment}),
        "auto_wrap_policy": policy,
    }
    if policy == "SIZE_BASED_WRAP":
        found["min_num_params"] = int(environment.get("FSDP_MIN_NUM_PARAMS", "0"))
    if layers := environment.get("FSDP_TRANSFORMER_CLS_TO_WRAP"):
        found["transformer_layer_cls_to_wrap"] = layers.split(",")
    return found


def check_launcher(options: FinetuneOptions, environment: Mapping[str, str] = os.environ) -> None:
    """Raise ``invalid_recipe`` when accelerate was told what the recipe contradicts, or what is not done here."""
    for complaint in _complaints(options, environment):
        raise RestepError("invalid_recipe", f"accelerate's configuration: {complaint}")


def _complaints(options: FinetuneOptions, environment: Mapping[str, str]) -> list[str]:
    found = [why for name, why in _REFUSED.items() if is_on(name, environment)]
    sharded = is_on("ACCELERATE_USE_FSDP", environment)
    if sharded and environment.get("FSDP_VERSION", "2") != "2":
        found.append("fsdp_version 1; say fsdp_version: 2")
    if sharded and options.sharding == "none":
        found.append("distributed_type FSDP, but finetune.sharding is none")
    if sharded and environment.get("FSDP_IGNORED_MODULES"):
        found.append("fsdp_ignored_modules; every layer is sharded")
    precision = environment.get("ACCELERATE_MIXED_PRECISION", "no").lower()
    if precision not in ("no", "bf16") or (precision == "bf16" and not options.bf16):
        found.append(f"mixed_precision {precision}; finetune.bf16 says what products are computed in")
    if environment.get("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "1") not in ("1", "auto"):
        found.append("gradient_accumulation_steps; finetune.batch_tokens says how much an optimiser step sees")
    if environment.get("ACCELERATE_DYNAMO_BACKEND", "no").lower() != "no":
        found.append("dynamo_backend; nothing is compiled")
    return found
