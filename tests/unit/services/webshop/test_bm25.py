"""Lucene's arithmetic, against numbers worked out by hand and a plain statement of its rounding."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.webshop.bm25 import average_length, rounded_lengths, scales, scores, weight


def rounded(length: int) -> int:
    return int(rounded_lengths(np.array([length], np.int32))[0])


def test_lengths_are_kept_in_one_byte() -> None:
    assert [rounded(length) for length in (0, 1, 39, 40, 41, 42, 56, 59, 60, 1000)] == [0, 1, 39, 40, 40, 42, 56, 56, 60, 984]
    assert len(np.unique(rounded_lengths(np.arange(100_000, dtype=np.int32)))) < 256


@given(st.integers(0, 2**31 - 1))
def test_a_rounded_length_has_four_bits_and_is_the_largest_below(length: int) -> None:
    rest = rounded(length) - 24
    assert 0 <= length - rounded(length) <= max(0, length - 24) / 8
    assert rest < 8 or rest % (1 << (rest.bit_length() - 4)) == 0
    assert rounded(rounded(length)) == rounded(length)


def test_a_score_as_worked_out_by_hand() -> None:
    average = average_length(30, 3)
    divisor = scales(np.array([2], np.int32), np.array([20], np.int32), average)
    assert math.isclose(float(divisor[0]), 1 + 2 / (0.9 * (0.6 + 0.4 * 20 / 10)), rel_tol=1e-6)
    weighed = weight(3, 1, 2)
    assert math.isclose(float(weighed), 2 * math.log(1 + 2.5 / 1.5), rel_tol=1e-6)
    assert math.isclose(float(scores(weighed, divisor)[0]), float(weighed) * (1 - 1 / float(divisor[0])), rel_tol=1e-6)


def test_every_step_is_in_single_precision() -> None:
    divisor = scales(np.array([3], np.int32), np.array([50], np.int32), average_length(1000, 7))
    assert {np.asarray(value).dtype for value in (divisor, weight(7, 2, 1), scores(weight(7, 2, 1), divisor))} == {
        np.dtype(np.float32)
    }


def test_nothing_to_average_is_no_error() -> None:
    assert average_length(0, 0) == 1
