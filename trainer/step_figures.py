"""The figures of an optimiser step: sums that are added over rows and ranks once, and what is told of them.

Every mean is over tokens, never over rows: a mean of means would weigh a token by how few stand beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast

import torch

from trainer.render import KINDS

_PARTS: Final = ("thought", "action")
_TOTALS: Final = ("nll", "weight", "trained", "tokens", "room", "predicted", "squares")


class StepSums:
    """Sums over the rows of one logging interval; ``tasks`` are the names behind the numbers in ``tasks`` of a row."""

    def __init__(self, device: torch.device, tasks: Sequence[str]) -> None:
        self._device, self._tasks = device, tasks
        self._sums = self._empty()

    def add(self, nll: torch.Tensor, row: Mapping[str, torch.Tensor], room: int) -> None:
        """Add the predicted tokens of one row, as :func:`trainer.pack.collate` describes it, with its ``tasks`` [K].

        ``nll`` [K]; ``room`` is how many tokens the row could have held. Nothing here waits for an accelerator.
        """
        nll, weights, kinds = nll.double(), row["weights"].double(), row["kinds"]
        trained = weights > 0
        taught, one = torch.where(trained, nll, 0.0), trained.double()
        tokens = row["input_ids"].numel()
        totals = [(taught * weights).sum(), weights.sum(), one.sum()]
        totals += [nll.new_tensor(count) for count in (tokens, room, len(nll))]
        totals += [row["cu_seq_lens_q"].diff().double().square().sum()]
        by_kind = self._by(kinds, len(KINDS), nll, torch.ones_like(nll))
        by_part = self._by(row["actions"].long(), len(_PARTS), taught, one)
        by_task = self._by(row["tasks"], len(self._tasks), taught, one)
        self._sums += torch.cat([torch.stack(totals), *by_kind, *by_part, *by_task])

    def take(self) -> torch.Tensor:
        """The sums so far as one vector, to be added over ranks; starts again at zero."""
        taken, self._sums = self._sums, self._empty()
        return taken

    def describe(self, sums: torch.Tensor) -> dict[str, float]:
        """Figures of a vector of sums.

        ``loss`` is the objective. ``loss/<provenance>``, ``loss/thought``, ``loss/action`` and ``loss/task/<type>`` are
        plain means over their tokens, of which the last three count trained ones alone. ``loss/error`` is what error
        steps would cost; unless an ablation trains them, it is watched, never trained.
        """
        values = cast("list[float]", sums.tolist())
        totals, rest = dict(zip(_TOTALS, values, strict=False)), values[len(_TOTALS) :]
        tokens, weight = totals["tokens"], totals["weight"]
        figures = {
            "tokens": tokens,
            "trained_tokens": totals["trained"],
            "predicted_tokens": totals["predicted"],
            "squared_lengths": totals["squares"],
            "trained_share": totals["trained"] / tokens if tokens else 0.0,
            "pack_efficiency": tokens / totals["room"] if tokens else 0.0,
        }
        if weight > 0:
            figures["loss"] = totals["nll"] / weight
        for names in (KINDS, _PARTS, [f"task/{name}" for name in self._tasks]):
            nll, counts, rest = rest[: len(names)], rest[len(names) : 2 * len(names)], rest[2 * len(names) :]
            figures |= {f"loss/{name}": total / n for name, total, n in zip(names, nll, counts, strict=True) if n}
        return figures

    def _by(self, groups: torch.Tensor, count: int, *values: torch.Tensor) -> list[torch.Tensor]:
        empty = torch.zeros(count, dtype=torch.float64, device=self._device)
        return [empty.index_add(0, groups, one) for one in values]

    def _empty(self) -> torch.Tensor:
        size = len(_TOTALS) + 2 * (len(KINDS) + len(_PARTS) + len(self._tasks))
        return torch.zeros(size, dtype=torch.float64, device=self._device)
