"""Token ids and labels, as TRL's SFTTrainer takes rows that are encoded already: what our own fine-tuning trains."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np

from shared.errors import RestepError
from shared.trajectory import Trajectory
from trainer.checkpoint import open_base
from trainer.exports.rows import Exported, Row
from trainer.pack import fitted
from trainer.render import Renderer
from trainer.shipped import locate

MASKED: Final = -100
"""The label of a token that is read and not trained."""


def labelled_rows(trajectories: Iterable[Trajectory], checkpoint: str, count: Exported) -> Iterator[Row]:
    """Rows ``{input_ids, labels}``, two lists of one length; ``count`` is kept up to date.

    A trajectory is cut at the checkpoint's length as :func:`trainer.pack.pack` does it. Raises ``checkpoint_not_found``,
    ``unsuitable_model``, ``unsuitable_template``, and ``data_not_written`` for a weight that a label cannot say.
    """
    base = open_base(locate(checkpoint))
    renderer = Renderer.from_tokenizer(base.tokenizer)
    count.longest = base.positions
    for trajectory in trajectories:
        whole = renderer.render(trajectory)
        document = fitted(whole, base.positions)
        if document is None:
            count.untrained += 1
            continue
        between = document.weights[(document.weights != 0) & (document.weights != 1)]
        if len(between):
            detail = f"{trajectory.task.id}: a label is trained or not; it has no weight of {between[0]:g}"
            raise RestepError("data_not_written", detail)
        count.written += 1
        count.cut += len(document) < len(whole)
        labels = np.where(document.weights > 0, document.input_ids, MASKED)
        yield {"input_ids": document.input_ids.tolist(), "labels": labels.tolist()}
