"""What a fine-tuning is asked to do: options of a recipe, and the whole of one fine-tuning.

Nothing here imports PyTorch: a recipe is read, and a wrong one refused, without the seconds that takes.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final, Literal, Self

import orjson
from pydantic import Field, field_serializer, model_validator

from shared.trajectory import Provenance
from trainer.options import Options

Normalisation = Literal["token", "turn", "trajectory"]
ChatFormatName = Literal["chatml", "llama2", "template"]
LeftOut = Literal["error", "reflection"]


class WeightOptions(Options):
    """Departures from the method's masks; the defaults are the method."""

    mask_errors: bool = Field(default=True, description="false trains error steps like all others (ablation)")
    mask_prefix: bool = Field(
        default=False, description="true masks what leads to a trajectory's first error as well: all before it (ablation)"
    )
    normalisation: Normalisation = Field(
        default="token",
        description="what counts alike: every trained token, every assistant turn, or every trajectory",
    )
    override: dict[Provenance, float] = Field(
        default={}, description="weight of all steps of a provenance, e.g. reflection: 0.5"
    )

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if self.mask_prefix and not self.mask_errors:
            raise ValueError("mask_prefix: masks the way to an error, so mask_errors must not be false")
        return self


Sharding = Literal["auto", "none", "full"]
SavedType = Literal["float32", "bfloat16", "float16"]
HOW: Final = ("threads", "save_steps", "sharding", "activation_checkpointing", "peak_tflops")
"""Options that say how the outcome is reached, not what it is."""


class LoraOptions(Options):
    """Which low-rank update is learnt."""

    rank: int = Field(default=16, ge=1, description="of each update")
    alpha: float = Field(default=32.0, gt=0.0, description="updates are scaled by alpha / rank")
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0, description="on the input of an update")
    targets: Literal["all-linear"] | list[str] = Field(
        default="all-linear", description="layers that get one, by the end of their name; never the output layer by default"
    )


class FinetuneOptions(Options):
    """How the student is trained; the defaults are those of the golden-trajectory literature (arXiv 2403.02502)."""

    epochs: float = Field(default=3.0, gt=0.0, description="passes over the data")
    learning_rate: float = Field(default=2e-5, gt=0.0, description="peak of the schedule")
    schedule: Literal["cosine", "linear", "constant"] = Field(default="cosine", description="after the warm-up")
    warmup: float = Field(default=0.03, ge=0.0, lt=1.0, description="share of the optimiser steps")
    weight_decay: float = Field(default=0.0, ge=0.0, description="of AdamW")
    max_grad_norm: float = Field(default=1.0, ge=0.0, description="gradients are clipped to this norm; 0 does not clip")
    batch_tokens: int = Field(default=65536, ge=1, description="tokens of an optimiser step over all processes, in whole rows")
    pack_tokens: int = Field(
        default=8192, ge=16, description="tokens of a row, which is a micro-batch; full if twice as long as any trajectory"
    )
    max_length: int | None = Field(default=None, ge=16, description="longest trajectory in tokens; None takes the model's")
    chat_format: ChatFormatName | None = Field(default=None, description="None takes the first that fits the tokenizer")
    save_steps: int = Field(default=100, ge=1, description="optimiser steps between checkpoints to resume from")
    threads: int | None = Field(default=None, ge=1, description="CPU threads of a process; None leaves them as they are")
    bf16: bool = Field(default=False, description="compute products in bfloat16 (autocast); weights stay float32")
    peak_tflops: float | None = Field(
        default=None, gt=0.0, description="what a device can do at most, for MFU; None takes that of a known GPU"
    )
    device: Literal["auto", "cpu"] = Field(default="auto", description="auto takes an accelerator where there is one")
    lora: LoraOptions | None = Field(default=None, description="train a low-rank update of the base; None trains all of it")
    sharding: Sharding = Field(
        default="auto",
        description="full: FSDP2 over all processes; none: each holds all; auto shards where a launcher gave GPUs",
    )
    activation_checkpointing: bool = Field(default=False, description="compute activations twice instead of keeping them")
    saved_type: SavedType = Field(default="float32", description="of the weights in the result; training is in float32")


class FinetuneConfig(FinetuneOptions):
    """One fine-tuning."""

    base: str = Field(description="checkpoint to start from: a folder or a Hugging Face name")
    output: Path = Field(description="folder of the result")
    seed: int = Field(default=0, description="of packing, order and dropout")
    weights: WeightOptions = Field(default=WeightOptions(), description="masks and normalisation")
    without: frozenset[LeftOut] = Field(default=frozenset(), description="steps that are left out, not only masked")
    trained_tokens: int | None = Field(
        default=None, ge=1, description="train until about so many trained tokens were seen, instead of `epochs` passes"
    )

    def passes(self, trained_tokens: int) -> float:
        """Epochs over data that hold so many trained tokens."""
        return self.epochs if self.trained_tokens is None else self.trained_tokens / trained_tokens

    @field_serializer("without")
    def _sorted(self, without: frozenset[LeftOut]) -> list[LeftOut]:
        return sorted(without)  # a set has another order in every process, and fingerprints are compared

    def fingerprint(self, base: str, data: str) -> str:
        """Identity of the outcome, given the hashes of base and data: not where things lie, nor how fast they go."""
        body = self.model_dump(mode="json", exclude={"base", "output", *HOW})
        return hashlib.sha256(orjson.dumps([body, base, data], option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
