"""The masked sum and its gradient: exactly zero where masked, right where trained (P6, P9)."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainer.loss import weighted_nll

WEIGHTS = st.lists(st.sampled_from([0.0, 0.0, 0.25, 1.0]), min_size=1, max_size=12)


def _logits(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 7, generator=generator, requires_grad=True)


@given(WEIGHTS, st.integers(0, 100))
def test_value_and_gradient_are_those_of_the_formula(given_weights: list[float], seed: int) -> None:
    weights = torch.tensor(given_weights)
    targets = torch.arange(len(weights)) % 7
    logits = _logits(len(weights), seed)
    total, nll = weighted_nll(logits, targets, weights)
    total.backward()
    exact = logits.detach().double()
    expected = -torch.log_softmax(exact, -1).gather(1, targets[:, None])[:, 0]
    assert torch.allclose(nll.double(), expected, atol=1e-5)
    assert float(total.detach()) == pytest.approx(float((expected * weights).sum()), abs=1e-5)
    gradient = (torch.softmax(exact, -1) - torch.nn.functional.one_hot(targets, 7)) * weights[:, None]
    assert logits.grad is not None
    assert torch.allclose(logits.grad.double(), gradient, atol=1e-6)


@given(WEIGHTS, st.integers(0, 100))
def test_the_gradient_is_exactly_zero_at_masked_targets_and_nowhere_else(given_weights: list[float], seed: int) -> None:
    weights = torch.tensor(given_weights)
    logits = _logits(len(weights), seed)
    weighted_nll(logits, torch.zeros(len(weights), dtype=torch.long), weights)[0].backward()
    assert logits.grad is not None
    size = logits.grad.abs().sum(-1)
    assert torch.equal(size[weights == 0], torch.zeros(int((weights == 0).sum())))
    assert bool((size[weights > 0] > 0).all())


@given(WEIGHTS)
def test_another_label_at_a_masked_target_changes_nothing(given_weights: list[float]) -> None:
    weights = torch.tensor(given_weights)
    targets = torch.arange(len(weights)) % 7
    changed = torch.where(weights == 0, (targets + 3) % 7, targets)
    results: list[tuple[torch.Tensor, torch.Tensor]] = []
    for labels in (targets, changed):
        logits = _logits(len(weights))
        total, _ = weighted_nll(logits, labels, weights)
        total.backward()
        assert logits.grad is not None
        results.append((total.detach(), logits.grad))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


def test_an_infinite_loss_at_a_masked_target_stays_there() -> None:
    logits = torch.zeros(2, 3)
    logits[0, 1] = float("-inf")
    logits.requires_grad_()
    total, nll = weighted_nll(logits, torch.tensor([1, 1]), torch.tensor([0.0, 1.0]))
    total.backward()
    assert torch.isinf(nll[0])
    assert float(total.detach()) == pytest.approx(torch.log(torch.tensor(3.0)).item())
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("count", [0, 3])
def test_without_any_weight_the_sum_is_a_zero_with_a_gradient(count: int) -> None:
    logits = _logits(count)
    total, _ = weighted_nll(logits, torch.zeros(count, dtype=torch.long), torch.zeros(count))
    total.backward()
    assert float(total.detach()) == 0.0
    assert logits.grad is not None
    assert not logits.grad.any()
