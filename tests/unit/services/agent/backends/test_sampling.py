"""Sampling against the distributions it must follow."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from services.agent.backends.sampling import nucleus, sample


def test_zero_temperature_takes_the_most_likely_token() -> None:
    logits = torch.tensor([[0.0, 3.0, 1.0], [2.0, 0.0, 1.0]])
    ids, logprobs = sample(logits, [0.0, 0.0], [1.0, 0.1], [0.99, 0.0])
    assert ids == [1, 0]
    assert torch.tensor(logprobs).allclose(torch.log_softmax(logits, -1)[[0, 1], ids], atol=1e-6)


@pytest.mark.parametrize("temperature", [1e-6, 1e-40, 1e-300, 5e-324])
def test_a_temperature_next_to_zero_takes_the_most_likely_token(temperature: float) -> None:
    logits = torch.tensor([[-20.0, 30.0, 10.0], [2.0, 0.0, 1.0]])
    ids, logprobs = sample(logits, [temperature, 1.0], [1.0, 1.0], [0.999, 0.0])
    assert ids == [1, 0]
    assert all(math.isfinite(value) for value in logprobs)


def test_uniforms_invert_the_cumulative_distribution() -> None:
    logits = torch.tensor([0.2, 0.5, 0.3]).log()
    grid = [(i + 0.5) / 1000 for i in range(1000)]
    ids, _ = sample(logits.repeat(1000, 1), [1.0] * 1000, [1.0] * 1000, grid)
    assert [ids.count(token) for token in range(3)] == [200, 500, 300]


def test_temperature_sharpens_as_the_formula_says() -> None:
    logits = torch.tensor([0.2, 0.5, 0.3]).log()
    grid = [(i + 0.5) / 1000 for i in range(1000)]
    ids, logprobs = sample(logits.repeat(1000, 1), [0.5] * 1000, [1.0] * 1000, grid)
    squares = [0.04, 0.25, 0.09]
    assert [ids.count(token) for token in range(3)] == pytest.approx([1000 * s / sum(squares) for s in squares], abs=1)
    assert logprobs[ids.index(1)] == pytest.approx(math.log(0.5), abs=1e-5), "raw, whatever the temperature"


def test_rows_do_not_disturb_each_other() -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(6, 700, generator=generator)
    temperatures, top_ps = [0.0, 1.0, 0.7, 1.0, 0.7, 2.0], [1.0, 1.0, 0.9, 0.3, 0.999, 0.5]
    uniforms = [0.1, 0.2, 0.5, 0.7, 0.9, 0.999]
    together, _ = sample(logits, temperatures, top_ps, uniforms)
    alone = [sample(logits[i : i + 1], [temperatures[i]], [top_ps[i]], [uniforms[i]])[0][0] for i in range(6)]
    assert together == alone


@given(st.integers(0, 2**31), st.floats(0.01, 1.0), st.sampled_from([3, 255, 256, 257, 900]), st.floats(0.1, 5.0))
def test_nucleus_is_the_smallest_set_that_reaches_the_mass(seed: int, top_p: float, size: int, spread: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    probabilities = torch.softmax(spread * torch.randn(2, size, generator=generator), -1)
    kept = nucleus(probabilities, torch.tensor([top_p, 1.0]))
    assert torch.equal(kept[1], probabilities[1])
    chosen = kept[0] > 0
    assert torch.equal(kept[0][chosen], probabilities[0][chosen])
    mass, smallest = float(kept[0].sum()), float(kept[0][chosen].min())
    assert mass >= top_p - 1e-5
    assert mass - smallest < top_p + 1e-5
    assert float(probabilities[0][~chosen].max() if (~chosen).any() else 0.0) <= smallest


@pytest.mark.parametrize("top_p", [1e-7, 1e-40, 1e-300, 5e-324])
def test_the_smallest_nucleus_is_the_most_likely_token(top_p: float) -> None:
    logits = torch.tensor([[-20.0, 30.0, 10.0], [2.0, 0.0, 1.0]])
    ids, logprobs = sample(logits, [1.0, 1.0], [top_p, top_p], [0.999, 0.0])
    assert ids == [1, 0]
    assert all(math.isfinite(value) for value in logprobs)


def test_the_last_uniform_below_one_stays_inside_the_nucleus() -> None:
    probabilities = torch.tensor([[0.6, 0.3, 0.1, 0.0]])
    ids, _ = sample(probabilities.log().clamp(min=-1e4), [1.0], [0.5], [1 - 2**-53])
    assert ids == [0]
