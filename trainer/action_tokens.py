"""Which tokens of an answer are its action and which its thought, so that their losses can be told apart.

A copied name in an action and a sentence of a thought are learnt at different paces, and only the first moves a score.
The border is found in the decoded text, so it holds for sampled ids, which no encoding of the text need give.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from shared.react import action_start

Decode = Callable[[Sequence[int]], str]


def action_tokens(
    input_ids: NDArray[np.int32], steps: NDArray[np.int32], answers: NDArray[np.bool_], decode: Decode
) -> NDArray[np.bool_]:
    """True from the token in which a step's ``Action:`` line begins to the step's end, its stop token included.

    ``steps`` says of each token which step it belongs to, ``answers`` which tokens were written or sampled.
    """
    actions = np.zeros(len(input_ids), np.bool_)
    places = np.flatnonzero(answers)
    for inside in np.split(places, np.flatnonzero(np.diff(steps[places])) + 1):
        if len(inside):
            actions[inside[_first_of_action(input_ids[inside].tolist(), decode) :]] = True
    return actions


def _first_of_action(ids: list[int], decode: Decode) -> int:
    """Index of the token in which the action begins; the number of tokens where there is none."""
    start = action_start(decode(ids))
    if start is None:
        return len(ids)
    return bisect_left(range(1, len(ids)), start + 1, key=lambda count: len(decode(ids[:count])))
