"""Choosing the next token of many sequences at once.

Every request draws its own uniforms, so what it samples does not depend on who shares its batch; the draw is turned
into a token by inverting the cumulative distribution in the order of token ids, one vectorised pass for all rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

_HEAD = 256  # a nucleus is nearly always this small: sorting the whole vocabulary is the exception
_COLDEST = 1e-6  # below it float32 overflows, and one request would fail the whole batch


def sample(
    logits: Tensor, temperatures: Sequence[float], top_ps: Sequence[float], uniforms: Sequence[float]
) -> tuple[list[int], list[float]]:
    """Token ids and their log-probabilities.

    ``logits`` (rows, vocabulary); temperature 0 takes the most likely token, and ``uniforms`` lie in [0, 1).
    The log-probabilities are those of the raw distribution: temperature 1, nothing cut off.
    """
    logits = logits.float()
    chosen = logits.argmax(-1)
    if any(t > 0 for t in temperatures):
        drawn = _draw(logits, temperatures, top_ps, uniforms)
        chosen = torch.where(torch.tensor([t > 0 for t in temperatures], device=logits.device), drawn, chosen)
    logprobs = logits.gather(-1, chosen[:, None])[:, 0] - logits.logsumexp(-1)
    return cast(list[int], chosen.tolist()), cast(list[float], logprobs.tolist())


def _draw(logits: Tensor, temperatures: Sequence[float], top_ps: Sequence[float], uniforms: Sequence[float]) -> Tensor:
    scale = torch.tensor([[max(t, _COLDEST) if t > 0 else 1.0] for t in temperatures], device=logits.device)
    probabilities = torch.softmax(logits / scale, -1)
    if any(p < 1 for t, p in zip(temperatures, top_ps, strict=True) if t > 0):
        probabilities = nucleus(probabilities, torch.tensor(top_ps, device=logits.device))
    cumulative = probabilities.cumsum(-1, dtype=torch.float64)
    total = cumulative[:, -1:]
    point = torch.tensor(uniforms, dtype=torch.float64, device=logits.device)[:, None] * total
    point = torch.minimum(point, torch.nextafter(total, torch.zeros_like(total)))  # rounding must not step over the end
    return torch.searchsorted(cumulative, point, right=True)[:, 0]


def nucleus(probabilities: Tensor, top_p: Tensor) -> Tensor:
    """Zero all but the smallest set of most likely tokens whose mass reaches ``top_p`` (Holtzman et al., 1904.09751).

    ``probabilities`` (rows, vocabulary), ``top_p`` (rows,) in (0, 1]; a row with 1 is returned as it is, the others
    are not renormalised.
    """
    head = min(_HEAD, probabilities.shape[-1])
    values, ids = probabilities.topk(head, dim=-1)
    reached = values.sum(-1) >= top_p
    if head < probabilities.shape[-1] and not bool((reached | (top_p >= 1)).all()):
        values, ids = probabilities.sort(dim=-1, descending=True)
    before = values.cumsum(-1) - values
    inside = before < top_p[:, None]
    inside[:, 0] = True  # a mass that float32 takes for 0 would leave nothing to draw from
    kept = torch.zeros_like(probabilities).scatter(-1, ids, values * inside)
    return torch.where(top_p[:, None] >= 1, probabilities, kept)
