"""The loss from a few logits at a time is the loss from all of them, with the same gradient, in a model as it comes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import linear
from transformers import Gemma2Config, Gemma2ForCausalLM, LlamaConfig, LlamaForCausalLM

from trainer.loss import weighted_nll
from trainer.loss_head import LossHead, chunked_nll

VOCABULARY, WIDTH = 11, 5
SMALL = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "vocab_size": VOCABULARY,
}


def _inputs(count: int, weights: list[float], seed: int) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(count, WIDTH, generator=generator, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(VOCABULARY, WIDTH, generator=generator, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(VOCABULARY, generator=generator, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(VOCABULARY, (count,), generator=generator)
    return hidden, weight, bias, targets, torch.tensor(weights)


@settings(deadline=None)
@given(
    weights=st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), max_size=12),
    rows=st.integers(1, 13),
    seed=st.integers(0, 2**16),
    biased=st.booleans(),
)
def test_any_number_of_rows_at_a_time_gives_the_same(weights: list[float], rows: int, seed: int, biased: bool) -> None:
    gradients: list[list[torch.Tensor | None]] = []
    values: list[tuple[torch.Tensor, torch.Tensor]] = []
    for chunked in (True, False):
        hidden, weight, bias, targets, shares = _inputs(len(weights), weights, seed)
        given_bias = bias if biased else None
        if chunked:
            total, nll = chunked_nll(hidden, weight, given_bias, targets, shares, rows)
        else:
            total, nll = weighted_nll(linear(hidden, weight, given_bias), targets, shares)
        total.backward()
        values.append((total.detach(), nll))
        gradients.append([hidden.grad, weight.grad, bias.grad])
    assert torch.allclose(values[0][0], values[1][0], rtol=1e-5)  # sums are float32 in both
    assert torch.allclose(values[0][1], values[1][1], rtol=1e-6)
    for found, expected in zip(*gradients, strict=True):
        assert (found is None) == (expected is None)
        assert found is None or expected is None or torch.allclose(found, expected, atol=1e-6)


def test_no_more_logits_are_kept_than_asked_for() -> None:
    hidden, weight, _, targets, shares = _inputs(64, [1.0] * 64, 0)
    sizes: list[int] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        chunked_nll(hidden, weight, None, targets, shares, 4)[0].backward()
    assert max(sizes) < 64 * VOCABULARY
    sizes.clear()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        weighted_nll(linear(hidden, weight), targets, shares)[0].backward()
    assert max(sizes) >= 64 * VOCABULARY  # what would be kept without


def _models() -> list[Any]:
    llama: Any = LlamaForCausalLM(LlamaConfig(**SMALL))  # pyright: ignore[reportArgumentType]  # keywords of several types
    tied: Any = LlamaForCausalLM(LlamaConfig(**SMALL, tie_word_embeddings=True))  # pyright: ignore[reportArgumentType]  # as above
    capped: Any = Gemma2ForCausalLM(Gemma2Config(**SMALL, final_logit_softcapping=0.05))  # pyright: ignore[reportArgumentType]  # as above
    return [llama, tied, capped]


@pytest.mark.parametrize("number", [0, 1, 2], ids=["llama", "tied embeddings", "capped logits"])
def test_a_model_gives_the_loss_of_its_own_logits(number: int) -> None:
    torch.manual_seed(0)
    model = _models()[number]
    ids = torch.arange(8)[None] % VOCABULARY
    predictors, targets = torch.tensor([1, 3, 4, 6]), torch.tensor([2, 0, 5, 7])
    weights = torch.tensor([1.0, 0.0, 0.5, 2.0])
    expected, expected_nll = weighted_nll(model(input_ids=ids).logits[0, predictors], targets, weights)
    expected.backward()
    gradients = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    head = LossHead(model, elements=2 * VOCABULARY)
    for _ in range(2):  # the first row tells whether the model changes its logits
        model.zero_grad()
        total, nll = head.loss(model, {"input_ids": ids}, predictors, targets, weights)
        total.backward()
        assert float(total.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
        assert torch.allclose(nll, expected_nll, atol=1e-5)
        assert all(torch.allclose(p.grad, gradients[name], atol=1e-6) for name, p in model.named_parameters())
    assert model(input_ids=ids).logits.shape == (1, 8, VOCABULARY)  # the layer is its own again


def test_dropout_is_drawn_once_for_a_row_that_is_computed_once_more() -> None:
    torch.manual_seed(0)
    model = _models()[2]
    model.train()
    for layer in model.model.layers:
        layer.self_attn.attention_dropout = 0.5
    model.set_attn_implementation("eager")
    rest = (torch.tensor([1, 3]), torch.tensor([2, 0]), torch.ones(2))
    losses: list[float] = []
    head = LossHead(model)
    for _ in range(2):  # the first row is computed twice
        torch.manual_seed(7)
        losses.append(float(head.loss(model, {"input_ids": torch.arange(8)[None]}, *rest)[0].detach()))
    assert losses[0] == losses[1]
