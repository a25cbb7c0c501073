"""What a training step costs in floating-point operations, and the share of a device's peak that this uses (MFU).

The formula, for a row of documents of s tokens each, all of them n, of which k are predicted:

    n * (4 * body + 2 * trained body) + k * (4 * head + 2 * trained head) + 6 * layers * width * sum(s ** 2)

``body`` and ``head`` are the weights that tokens are multiplied by (embeddings are looked up): 2 operations a weight
forward, 2 for the gradient of what goes in, 2 for the gradient of the weight where it is trained. So full fine-tuning
costs 6 a weight and LoRA little more than 4. The head is charged for predicted positions, because there are no logits
elsewhere. Attention is causal, inside documents: 2 products of 2 * s * s * width operations, halved by the mask, once
forward and twice backward. What is computed a second time (activation checkpointing) is not counted, so MFU, not HFU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, cast

import torch

PEAK_TFLOPS: Final = (
    ("B200", 2250.0),
    ("H200", 989.0),
    ("GH200", 989.0),
    ("H100 PCIe", 756.0),
    ("H100", 989.0),
    ("A100", 312.0),
    ("L40S", 362.0),
)
"""Dense bfloat16 peaks by a part of the device's name, as NVIDIA's data sheets give them; the first that fits counts."""


@dataclass(frozen=True, slots=True)
class ModelCost:
    """The numbers of a model that the formula needs. Weights are counts, ``width`` is heads times the size of a head."""

    body: int
    trained_body: int
    head: int
    trained_head: int
    layers: int
    width: int

    @classmethod
    def of(cls, model: torch.nn.Module) -> ModelCost:
        """Those of a model, with or without adapters, as it is about to be trained."""
        head = _head(model)
        looked_up = {
            id(weight) for layer in model.modules() if isinstance(layer, torch.nn.Embedding) for weight in layer.parameters()
        }
        body = [one for one in model.parameters() if one.ndim > 1 and id(one) not in looked_up and one is not head]
        config = cast("Any", model).config.get_text_config()
        heads = int(config.num_attention_heads)
        size = getattr(config, "head_dim", None) or config.hidden_size // heads
        return cls(
            body=sum(one.numel() for one in body),
            trained_body=sum(one.numel() for one in body if one.requires_grad),
            head=0 if head is None else head.numel(),
            trained_head=0 if head is None or not head.requires_grad else head.numel(),
            layers=int(config.num_hidden_layers),
            width=heads * int(size),
        )

    def flops(self, tokens: float, predicted: float, squares: float) -> float:
        """Operations of a step over ``tokens`` tokens; ``squares`` is the sum of the squared lengths of the documents."""
        body = tokens * (4 * self.body + 2 * self.trained_body)
        head = predicted * (4 * self.head + 2 * self.trained_head)
        return body + head + 6 * self.layers * self.width * squares


def peak_flops(device: torch.device) -> float | None:
    """Operations a second that a device can do at most, None where that is not known, as of every processor."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next((1e12 * peak for part, peak in PEAK_TFLOPS if part in name), None)


def _head(model: torch.nn.Module) -> torch.nn.Parameter | None:
    """The weight of the output layer, which may be that of the embedding."""
    layer = cast("Any", model).get_output_embeddings()
    return None if layer is None else getattr(layer, "base_layer", layer).weight
