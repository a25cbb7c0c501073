"""The formula of MFU against PyTorch's own count of the products of a real step, and against published figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.support.masked_reference import documents, load
from tests.support.tiny_model import tiny_checkpoint
from trainer.flops import ModelCost, peak_flops
from trainer.loss import weighted_nll
from trainer.pack import Pack, collate


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("tiny"))


def products(model: Any, batch: dict[str, Any]) -> int:
    """Operations of the matrix products with weights, forward and backward, as PyTorch counts them."""
    with FlopCounterMode(display=False) as counter:
        logits = model(input_ids=batch["input_ids"], logits_to_keep=batch["predictors"], use_cache=False).logits[0]
        weighted_nll(logits, batch["targets"], batch["weights"])[0].backward()
    found = counter.get_flop_counts()["Global"]
    return sum(int(count) for operation, count in found.items() if str(operation) in ("aten.mm", "aten.addmm"))


@pytest.mark.parametrize("frozen", [(), ("mlp",), ("mlp", "lm_head")])
def test_weights_cost_what_pytorch_counts(frozen: tuple[str, ...], checkpoint: Path) -> None:
    model: Any = load(checkpoint)
    for name, parameter in model.named_parameters():
        parameter.requires_grad = not any(part in name for part in frozen)
    batch: dict[str, Any] = collate(Pack((documents(checkpoint)[0],)))
    expected = ModelCost.of(model).flops(batch["input_ids"].numel(), len(batch["targets"]), squares=0)
    assert products(model, batch) == expected


def test_seven_billion_parameters_cost_what_is_published() -> None:
    """Llama-2-7B: 6.607 billion weights in products, 41.3 GFLOP a token in documents of 2,000 tokens."""
    cost = ModelCost(
        body=6_476_005_376, trained_body=6_476_005_376, head=131_072_000, trained_head=131_072_000, layers=32, width=4096
    )
    assert cost.body + cost.head == pytest.approx(6.607e9, rel=1e-4)
    assert cost.flops(1, 1, squares=2048) == pytest.approx(41.3e9, rel=2e-3)


def test_a_tied_head_is_counted_once(tmp_path: Path) -> None:
    tied, untied = (ModelCost.of(load(tiny_checkpoint(tmp_path / str(tie), tied=tie))) for tie in (True, False))
    assert tied == untied


def test_a_processor_has_no_known_peak() -> None:
    assert peak_flops(torch.device("cpu")) is None
