"""The masked objective: sum(w * nll) / sum(w) over everything that one optimiser step sees.

That is equation (3) of STeP (arXiv 2505.20023) with token weights w for its delta. The denominator is of the whole
step, all micro-batches and ranks: a mean of means would weigh a token by how few trained tokens stand beside it.
"""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy


def weighted_nll(logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The sum of ``weights * nll``, a scalar in the graph, and the nll of each token [K], outside of it.

    ``logits`` [K, V], ``targets`` [K], ``weights`` [K]. Tokens of weight 0 get no gradient, not a zero times an
    infinity; with none of any weight the sum is a zero that still reaches every parameter.
    """
    trained = weights > 0
    nll = cross_entropy(logits.float(), targets, reduction="none")
    return (nll[trained] * weights[trained]).sum(), nll.detach()
