"""Which tokens are trained, and how much: the table of provenances, its ablations by name, and normalisation.

The method's table is :data:`shared.trajectory.PROVENANCE_LOSS`, stored in every step as its ``loss``; here are the
departures from it that an experiment may ask for. Steps that are left out altogether are :mod:`trainer.rewrite`'s.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from shared.trajectory import Provenance, Trajectory
from trainer.finetune_config import Normalisation, WeightOptions
from trainer.render import Rendered, in_answers


def step_weights(trajectory: Trajectory, options: WeightOptions) -> list[float]:
    """The weight of each step: its ``loss``, unless an ablation overrides its provenance or masks its place."""
    override: dict[Provenance, float] = dict(options.override)
    if not options.mask_errors:
        override.setdefault("error", 1.0)
    errors = (step.index for step in trajectory.steps if step.provenance == "error")
    begin = next(errors, 0) if options.mask_prefix else 0
    return [override.get(step.provenance, step.loss) if step.index >= begin else 0.0 for step in trajectory.steps]


def normalise(rendered: Rendered, normalisation: Normalisation) -> Rendered:
    """Divide weights by the number of trained tokens of their turn or trajectory; ``token`` leaves them."""
    trained = rendered.weights > 0
    if normalisation == "token" or not trained.any():
        return rendered
    groups = turn_numbers(rendered) if normalisation == "turn" else np.zeros(len(rendered), np.int64)
    counts = np.bincount(groups[trained], minlength=int(groups.max()) + 1)
    weights = np.where(trained, rendered.weights / np.maximum(counts, 1)[groups], 0).astype(np.float32)
    return replace(rendered, weights=weights)


def turn_ends(rendered: Rendered) -> NDArray[np.int64]:
    """Index after the last token of each assistant turn."""
    answers = in_answers(rendered.kinds)
    return np.flatnonzero(answers & ~np.append(answers[1:], False)) + 1


def turn_numbers(rendered: Rendered) -> NDArray[np.int64]:
    """For each token the number of the turn it belongs to or leads to."""
    return np.searchsorted(turn_ends(rendered), np.arange(len(rendered)), side="right")
