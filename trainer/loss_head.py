"""A model's output layer that answers with the loss of its rows instead of their logits.

Logits are the largest tensor of a training step: 8,192 positions of a vocabulary of 128,000 are 4 GiB in float32, and
their gradient as much again. Here they exist for a few positions at a time and are computed a second time for the gradient.
What the layer answers is a scalar, so nothing between it and the loss can keep them either. The layer is called by its
model as always: whatever shards, casts or watches it sees an ordinary call.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final, cast

import torch
from torch.nn.functional import linear
from torch.utils.checkpoint import checkpoint  # pyright: ignore[reportUnknownVariableType]  # loosely typed

from trainer.loss import weighted_nll

CHUNK_ELEMENTS: Final = 2**26
"""Logits that exist at once: 256 MiB in float32."""


def chunked_nll(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    targets: torch.Tensor,
    weights: torch.Tensor,
    rows: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """:func:`trainer.loss.weighted_nll` of the logits of ``hidden`` [K, d] under ``weight`` [V, d], ``rows`` at a time."""
    if len(targets) <= rows:
        return weighted_nll(linear(hidden, weight, bias), targets, weights)

    def part(states: torch.Tensor, labels: torch.Tensor, shares: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return weighted_nll(linear(states, weight, bias), labels, shares)

    pieces: list[tuple[torch.Tensor, ...]] = [torch.split(tensor, rows) for tensor in (hidden, targets, weights)]
    parts = [
        cast("tuple[torch.Tensor, torch.Tensor]", checkpoint(part, *some, use_reentrant=False, preserve_rng_state=False))
        for some in zip(*pieces, strict=True)
    ]
    return torch.stack([total for total, _ in parts]).sum(), torch.cat([nll for _, nll in parts])


class LossHead:
    """The output layer of ``model``, which may be sharded later on.

    A model that does anything to its logits after the layer (scales or caps them) is told by its first row; its logits are
    then made whole.
    """

    def __init__(self, model: torch.nn.Module, elements: int = CHUNK_ELEMENTS) -> None:
        head = cast("Any", model).get_output_embeddings()
        self._head: torch.nn.Linear | None = head if isinstance(head, torch.nn.Linear) else None
        self._elements = elements
        self._plain: bool | None = None if self._head is not None else False

    def loss(
        self,
        model: torch.nn.Module,
        context: dict[str, Any],
        predictors: torch.Tensor,
        targets: torch.Tensor,
        weights: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The forward pass of a row: the sum of ``weights * nll``, and the nll of each target [K], outside of the graph.

        ``context`` are the model's inputs, ``predictors`` [K] the positions whose logits predict ``targets`` [K].
        """
        inputs = {**context, "logits_to_keep": predictors, "use_cache": False}
        if self._head is None or self._plain is False:
            return weighted_nll(model(**inputs).logits[0], targets, weights)
        before = None if self._plain else _random_state(predictors.device)
        with self._answering(self._head, targets, weights) as answers:
            answer = model(**inputs).logits
        ((total, nll),) = answers
        if before is not None:
            self._plain = torch.equal(answer, total)
            if not self._plain:
                _restore(before, predictors.device)  # the row is computed once more: with the same dropout
                return self.loss(model, context, predictors, targets, weights)
        return answer, nll

    @contextmanager
    def _answering(
        self, head: torch.nn.Linear, targets: torch.Tensor, weights: torch.Tensor
    ) -> Generator[list[tuple[torch.Tensor, torch.Tensor]]]:
        answers: list[tuple[torch.Tensor, torch.Tensor]] = []
        rows = max(1, self._elements // head.out_features)

        def answer(input: torch.Tensor) -> torch.Tensor:
            answers.append(chunked_nll(input[0], head.weight, head.bias, targets, weights, rows))
            return answers[-1][0]

        head.forward = answer
        try:
            yield answers
        finally:
            del head.forward  # the class's own again


def _random_state(device: torch.device) -> tuple[torch.Tensor, torch.Tensor | None]:
    return torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None


def _restore(state: tuple[torch.Tensor, torch.Tensor | None], device: torch.device) -> None:
    torch.set_rng_state(state[0])
    if state[1] is not None:
        torch.cuda.set_rng_state(state[1], device)
