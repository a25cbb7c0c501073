"""BM25 with the arithmetic of Lucene 8.11 (``BM25Similarity``), so that ties and near-ties fall as they do there.

Document lengths have one byte of precision, and every step but the last sum is in single precision. Parameters are those
of Anserini (k1 = 0.9, b = 0.4), which WebShop searches with.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

K1: Final = np.float32(0.9)
B: Final = np.float32(0.4)
_EXACT_LENGTHS: Final = 24


def rounded_lengths(lengths: NDArray[np.int32]) -> NDArray[np.int32]:
    """Lengths in terms as Lucene's ``SmallFloat.intToByte4`` keeps them: exact to 40, then with four significant bits."""
    above = np.maximum(lengths - _EXACT_LENGTHS, 0)
    exponents = np.frexp(above.astype(np.float64))[1]
    shifts = np.maximum(exponents - 4, 0)
    return np.where(lengths < _EXACT_LENGTHS, lengths, (above >> shifts << shifts) + _EXACT_LENGTHS).astype(np.int32)


def average_length(total: int, documents: int) -> np.float32:
    """Mean exact length of ``documents`` with ``total`` terms together."""
    return np.float32(total / documents) if documents else np.float32(1)


def scales(frequencies: NDArray[np.int32], lengths: NDArray[np.int32], average: np.float32) -> NDArray[np.float32]:
    """What the weight of a term is divided by: ``1 + frequency / (k1 * (1 - b + b * length / average))``.

    ``frequencies`` and exact ``lengths`` are of the same shape, one for each occurrence of a term in a document.
    """
    inverse = np.float32(1) / (K1 * ((np.float32(1) - B) + B * rounded_lengths(lengths).astype(np.float32) / average))
    return (np.float32(1) + frequencies.astype(np.float32) * inverse).astype(np.float32, copy=False)


def weight(documents: int, with_term: int, repeats: int) -> np.float32:
    """Of a term that is ``repeats`` times in the query and in ``with_term`` of so many ``documents``."""
    return np.float32(repeats) * np.float32(math.log(1 + (documents - with_term + 0.5) / (with_term + 0.5)))


def scores(weight: np.float32, scales: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a term adds to the score of each document."""
    return weight - weight / scales
