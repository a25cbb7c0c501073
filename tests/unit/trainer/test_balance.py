"""Rows get alike in trained tokens, and nothing else of them gets worse."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trainer.balance import exchange, spread, trained_tokens
from trainer.render import KINDS, Rendered

CAPACITY = 64


def document(length: int, trained: int) -> Rendered:
    weights = np.zeros(length, np.float32)
    weights[length - min(trained, length) :] = 0.5
    return Rendered(
        trajectory="",
        task="t",
        input_ids=np.zeros(length, np.int32),
        weights=weights,
        steps=np.zeros(length, np.int32),
        kinds=np.full(length, KINDS.index("golden"), np.uint8),
        actions=np.zeros(length, np.bool_),
    )


DOCUMENTS = st.builds(document, st.integers(1, CAPACITY), st.integers(0, CAPACITY))
ROWS = st.lists(st.lists(DOCUMENTS, min_size=1, max_size=4), min_size=1, max_size=8)


@given(ROWS)
def test_documents_stay_whole_rows_stay_bounded_and_the_spread_never_grows(rows: list[list[Rendered]]) -> None:
    before = [list(row) for row in rows]
    exchange(rows, CAPACITY)
    assert len(rows) == len(before)
    assert Counter(id(one) for row in rows for one in row) == Counter(id(one) for row in before for one in row)
    assert all(len(row) == len(old) for row, old in zip(rows, before, strict=True))
    assert all(sum(map(len, row)) <= max(CAPACITY, sum(map(len, old))) for row, old in zip(rows, before, strict=True))
    assert spread(rows) <= spread(before) + 1e-9


def test_rows_of_alike_documents_teach_alike() -> None:
    rows = [[document(20, 18), document(20, 17)], [document(20, 2), document(20, 1)]]
    exchange(rows, CAPACITY)
    assert sorted(sum(map(trained_tokens, row)) for row in rows) == [19, 19]


def test_long_and_short_answers_are_mixed_over_many_rows() -> None:
    rng = random.Random(0)
    rows: list[list[Rendered]] = [[]]
    for length in sorted((rng.randint(60, 200) for _ in range(300)), reverse=True):
        if sum(map(len, rows[-1])) + length > 1024:
            rows.append([])
        rows[-1].append(document(length, int(length * rng.choice([0.15, 0.2, 0.3, 0.45]))))
    before = spread(rows)
    exchange(rows, 1024)
    assert spread(rows) < before / 2


def test_rows_without_anything_trained_have_no_spread() -> None:
    assert spread([[document(5, 0)], [document(6, 0)]]) == 0.0
    assert trained_tokens(document(6, 2)) == 2
