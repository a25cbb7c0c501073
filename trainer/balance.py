"""Trained tokens spread over rows, without touching how well the rows are filled.

Best fit looks at lengths alone, and answers are a fifth of one trajectory and half of another: some rows, and with them
optimiser steps and ranks, would teach much and others little. So documents of much the same length change places.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from trainer.render import Rendered

_NEIGHBOURS: Final = 16
_SWEEPS: Final = 8


def trained_tokens(document: Rendered) -> int:
    """How many of its tokens have weight."""
    return int(np.count_nonzero(document.weights))


def spread(rows: Sequence[Sequence[Rendered]]) -> float:
    """Standard deviation of the trained tokens of a row, over their mean; 0 where all teach alike."""
    taught = np.array([sum(map(trained_tokens, row)) for row in rows])
    return float(taught.std() / taught.mean()) if taught.any() else 0.0


def exchange(rows: list[list[Rendered]], capacity: int) -> None:
    """Exchange documents between rows in place wherever that makes them more alike in trained tokens.

    Number of rows and of their tokens in all stay; no row grows beyond ``capacity``, or beyond what it has where it has
    more. Each exchange makes the sum of squared trained tokens smaller, so this ends; it looks at each document's
    neighbours in length a bounded number of times.
    """
    held = [(document, number) for number, row in enumerate(rows) for document in row]
    held.sort(key=lambda place: len(place[0]), reverse=True)  # stable: the same rows are exchanged in the same way
    documents, where = [document for document, _ in held], [number for _, number in held]
    lengths, taught = [len(document) for document in documents], [trained_tokens(document) for document in documents]
    limits = [max(capacity, sum(map(len, row))) for row in rows]
    filled, teaching = [sum(map(len, row)) for row in rows], [sum(map(trained_tokens, row)) for row in rows]
    for _ in range(_SWEEPS):
        moved = False
        for one in range(len(documents)):
            for other in range(one + 1, min(one + 1 + _NEIGHBOURS, len(documents))):
                here, there = where[one], where[other]
                longer, more = lengths[other] - lengths[one], taught[other] - taught[one]
                fits = filled[here] + longer <= limits[here] and filled[there] - longer <= limits[there]
                if here == there or not fits or more * (teaching[here] - teaching[there] + more) >= 0:
                    continue
                where[one], where[other], moved = there, here, True
                filled[here], filled[there] = filled[here] + longer, filled[there] - longer
                teaching[here], teaching[there] = teaching[here] + more, teaching[there] - more
        if not moved:
            break
    for row in rows:
        row.clear()
    for document, number in zip(documents, where, strict=True):
        rows[number].append(document)
