"""The masked objective: sum(w * nll) / sum(w) over everything that one optimiser step sees.

That is equation (3) of STeP (arXiv 2505.20023) with token weights w for its delta. The denominator is of the whole
step, all micro-batches and ranks: a mean of means would weigh a token by how few trained tokens stand beside it.
"""

from __future__ import annotations

from typing import cast

import torch
from torch.nn.functional import cross_entropy

from trainer.render import KINDS


def weighted_nll(logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The sum of ``weights * nll``, a scalar in the graph, and the nll of each token [K], outside of it.

    ``logits`` [K, V], ``targets`` [K], ``weights`` [K]. Tokens of weight 0 get no gradient, not a zero times an
    infinity; with none of any weight the sum is a zero that still reaches every parameter.
    """
    trained = weights > 0
    nll = cross_entropy(logits.float(), targets, reduction="none")
    return (nll[trained] * weights[trained]).sum(), nll.detach()


class LossSums:
    """Sums of one logging interval: for each origin nll and tokens; and the objective's numerator and denominator."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._sums = self._empty()

    def add(self, nll: torch.Tensor, weights: torch.Tensor, kinds: torch.Tensor, tokens: int) -> None:
        """Add the predicted tokens of one row of ``tokens`` tokens."""
        count = len(KINDS)
        nll, weights = nll.double(), weights.double()
        trained = weights > 0
        totals = torch.stack(
            [(nll * weights)[trained].sum(), weights.sum(), trained.sum().double(), nll.new_tensor(tokens, dtype=torch.float64)]
        )
        by_kind = [torch.bincount(kinds, nll, count), torch.bincount(kinds, minlength=count).double()]
        self._sums += torch.cat([totals, *by_kind])

    def take(self) -> torch.Tensor:
        """The sums so far as one vector, to be added over ranks; starts again at zero."""
        taken, self._sums = self._sums, self._empty()
        return taken

    def _empty(self) -> torch.Tensor:
        return torch.zeros(4 + 2 * len(KINDS), dtype=torch.float64, device=self._device)


def describe_sums(sums: torch.Tensor) -> dict[str, float]:
    """Figures of a vector of sums: ``loss``, tokens, and ``loss/<provenance>`` as plain means over its tokens.

    ``loss/error`` is what error steps would cost; unless an ablation trains them, it is watched, never trained.
    """
    numerator, weight, trained, tokens, *rest = cast("list[float]", sums.tolist())
    figures = {"tokens": tokens, "trained_tokens": trained, "trained_share": trained / tokens if tokens else 0.0}
    if weight > 0:
        figures["loss"] = numerator / weight
    nll, counts = rest[: len(KINDS)], rest[len(KINDS) :]
    figures |= {f"loss/{kind}": total / n for kind, total, n in zip(KINDS, nll, counts, strict=True) if n}
    return figures
