"""A configuration of accelerate is followed or refused, never read past."""

from __future__ import annotations

from typing import Any

import pytest

from shared.errors import RestepError
from trainer.finetune_config import FinetuneOptions
from trainer.launcher import check_launcher, wrapping

FSDP = {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2"}
PLAIN = {
    "ACCELERATE_MIXED_PRECISION": "no",
    "ACCELERATE_DYNAMO_BACKEND": "NO",
    "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "1",
    "FSDP_OFFLOAD_PARAMS": "false",
    "FSDP_ACTIVATION_CHECKPOINTING_OFFLOAD": "false",
}
"""What ``accelerate launch`` sets where nothing was asked for."""


@pytest.mark.parametrize("environment", [{}, PLAIN, PLAIN | FSDP, {**FSDP, "ACCELERATE_MIXED_PRECISION": "bf16"}])
def test_what_the_recipe_follows_passes(environment: dict[str, str]) -> None:
    check_launcher(FinetuneOptions(bf16="bf16" in environment.values()), environment)
    check_launcher(FinetuneOptions(bf16=True), environment)


@pytest.mark.parametrize(
    ("environment", "options", "named"),
    [
        ({"ACCELERATE_USE_DEEPSPEED": "true"}, {}, "DeepSpeed"),
        ({"ACCELERATE_USE_MEGATRON_LM": "true"}, {}, "Megatron-LM"),
        ({"ACCELERATE_USE_PARALLELISM_CONFIG": "true"}, {}, "parallelism_config"),
        (FSDP | {"FSDP_VERSION": "1"}, {}, "fsdp_version"),
        (FSDP | {"FSDP_OFFLOAD_PARAMS": "true"}, {}, "fsdp_offload_params"),
        (FSDP | {"FSDP_ACTIVATION_CHECKPOINTING_OFFLOAD": "true"}, {}, "fsdp_activation_checkpointing_offload"),
        (FSDP | {"FSDP_IGNORED_MODULES": ".*head"}, {}, "fsdp_ignored_modules"),
        (FSDP, {"sharding": "none"}, r"finetune\.sharding is none"),
        ({"ACCELERATE_MIXED_PRECISION": "bf16"}, {}, "mixed_precision bf16"),
        ({"ACCELERATE_MIXED_PRECISION": "fp16"}, {"bf16": True}, "mixed_precision fp16"),
        ({"ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "4"}, {}, "gradient_accumulation_steps"),
        ({"ACCELERATE_DYNAMO_BACKEND": "INDUCTOR"}, {}, "dynamo_backend"),
    ],
)
def test_what_it_does_not_follow_is_refused_by_its_name(
    environment: dict[str, str], options: dict[str, Any], named: str
) -> None:
    with pytest.raises(RestepError, match=f"accelerate's configuration: .*{named}") as caught:
        check_launcher(FinetuneOptions.model_validate(options), PLAIN | environment)
    assert caught.value.code == "invalid_recipe"


def test_which_layers_are_gathered_at_once_is_taken_over() -> None:
    assert wrapping({}) == {"reshard_after_forward": True, "auto_wrap_policy": "TRANSFORMER_BASED_WRAP"}
    by_name = wrapping({"FSDP_TRANSFORMER_CLS_TO_WRAP": "LlamaDecoderLayer,Other", "FSDP_RESHARD_AFTER_FORWARD": "false"})
    assert by_name["transformer_layer_cls_to_wrap"] == ["LlamaDecoderLayer", "Other"]
    assert not by_name["reshard_after_forward"]
    by_size = wrapping({"FSDP_AUTO_WRAP_POLICY": "SIZE_BASED_WRAP", "FSDP_MIN_NUM_PARAMS": "1000"})
    assert (by_size["auto_wrap_policy"], by_size["min_num_params"]) == ("SIZE_BASED_WRAP", 1000)
