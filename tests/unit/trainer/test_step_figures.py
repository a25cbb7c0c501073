"""Figures of a step are means over tokens, by origin, task and part of an answer, however rows and ranks divide them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainer.render import KINDS
from trainer.step_figures import StepSums

CPU = torch.device("cpu")
GOLDEN, ERROR = KINDS.index("golden"), KINDS.index("error")
Token = tuple[float, float, int, bool, int]
"""nll, weight, kind, action, task"""
TOKENS = st.tuples(
    st.floats(0, 9, width=32),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.sampled_from([GOLDEN, ERROR]),
    st.booleans(),
    st.integers(0, 1),
)


def add(sums: StepSums, tokens: list[Token], lengths: list[int], room: int) -> None:
    nll, weights, kinds, actions, tasks = ([token[of] for token in tokens] for of in range(5))
    row = {
        "weights": torch.tensor(weights, dtype=torch.float32),
        "kinds": torch.tensor(kinds, dtype=torch.long),
        "actions": torch.tensor(actions, dtype=torch.bool),
        "tasks": torch.tensor(tasks, dtype=torch.long),
        "input_ids": torch.zeros(1, sum(lengths), dtype=torch.long),
        "cu_seq_lens_q": torch.tensor([0, *lengths]).cumsum(0),
    }
    sums.add(torch.tensor(nll, dtype=torch.float32), row, room)


def test_every_figure_and_again_from_zero() -> None:
    sums = StepSums(CPU, ["boil", "melt"])
    add(sums, [(1.0, 1.0, GOLDEN, False, 0), (3.0, 0.5, GOLDEN, True, 0)], [6, 4], room=16)
    add(sums, [(8.0, 0.0, ERROR, True, 1), (5.0, 1.0, GOLDEN, True, 1)], [6], room=16)
    assert sums.describe(sums.take()) == {
        "tokens": 16,
        "trained_tokens": 3,
        "predicted_tokens": 4,
        "squared_lengths": 36 + 16 + 36,
        "trained_share": 3 / 16,
        "pack_efficiency": 0.5,
        "loss": pytest.approx((1 + 1.5 + 5) / 2.5),
        "loss/golden": 3.0,
        "loss/error": 8.0,
        "loss/thought": 1.0,
        "loss/action": 4.0,
        "loss/task/boil": 2.0,
        "loss/task/melt": 5.0,
    }
    nothing = sums.describe(sums.take())
    assert set(nothing.values()) == {0.0}
    assert not any(name.startswith("loss") for name in nothing)


@given(st.lists(TOKENS, min_size=1, max_size=12), st.integers(0, 12))
def test_how_tokens_are_divided_into_rows_and_ranks_changes_nothing(tokens: list[Token], border: int) -> None:
    whole, first, second = (StepSums(CPU, ["a", "b"]) for _ in range(3))
    add(whole, tokens, [12], room=12)
    add(first, tokens[:border], [6], room=6)
    add(second, tokens[border:], [6], room=6)
    one, divided = whole.describe(whole.take()), whole.describe(first.take() + second.take())
    del one["squared_lengths"], divided["squared_lengths"]
    assert divided == pytest.approx(one)


@given(st.lists(TOKENS, min_size=1, max_size=12))
def test_masked_tokens_are_told_of_as_errors_alone(tokens: list[Token]) -> None:
    sums, spoilt = StepSums(CPU, ["a", "b"]), StepSums(CPU, ["a", "b"])
    add(sums, tokens, [12], room=12)
    add(spoilt, [(99.0 if one[1] == 0 else one[0], *one[1:]) for one in tokens], [12], room=12)
    figures, others = sums.describe(sums.take()), spoilt.describe(spoilt.take())
    watched = {"loss/error", "loss/golden"}
    assert {name: figures[name] for name in figures.keys() - watched} == {
        name: others[name] for name in others.keys() - watched
    }
