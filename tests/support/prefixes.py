"""The property every chat format owes: what was rendered after a turn is how the whole begins."""

from __future__ import annotations

import numpy as np

from shared.trajectory import Trajectory
from trainer.chat_messages import assistant_turns
from trainer.render import Renderer


def assert_prefixes(renderer: Renderer, one: Trajectory) -> None:
    """Rendered up to the end of any assistant turn, ids, weights, steps and kinds are those the whole begins with."""
    whole = renderer.render(one)
    for turn in assistant_turns(one.steps):
        part = renderer.render(one.model_copy(update={"steps": one.steps[: turn[-1].index + 1]}))
        for name in ("input_ids", "weights", "steps", "kinds"):
            assert np.array_equal(getattr(part, name), getattr(whole, name)[: len(part)])
