"""Trajectories with some steps left out, as if they had never been said: the ablations that change what is read.

Masking is another thing (:mod:`trainer.weights`): a masked step stays in the context. What follows a step that is left
out stays as it was, the observations too, so a document may tell of a state that its actions do not explain.
"""

from __future__ import annotations

from collections.abc import Collection

from shared.react import THOUGHT, turn_text
from shared.trajectory import Step, Trajectory
from trainer.finetune_config import LeftOut


def leave_out(trajectory: Trajectory, provenances: Collection[LeftOut]) -> Trajectory:
    """The trajectory without the steps of some provenances, and without what was observed after them.

    A correction whose reflection opened its answer is given the opening of an answer of its own.
    """
    if not provenances:
        return trajectory
    places: dict[int, int] = {}
    kept: list[Step] = []
    for step in trajectory.steps:
        if step.provenance not in provenances:
            places[step.index] = len(kept)
            repairs = None if step.repairs is None else places.get(step.repairs)
            changed = {"index": len(kept), "repairs": repairs, "text": _text(trajectory, step, places)}
            kept.append(step.model_copy(update=changed))
    return trajectory.model_copy(update={"steps": kept}).sealed()


def _text(trajectory: Trajectory, step: Step, places: dict[int, int]) -> str:
    """A step's text, an opening put before it where the reflection that had one is gone."""
    opened = step.index > 0 and trajectory.steps[step.index - 1].provenance == "reflection" and step.index - 1 not in places
    if not opened or step.token_ids is not None or step.action is None or step.text.lstrip().startswith(THOUGHT):
        return step.text
    return turn_text(step.thought, step.action)
