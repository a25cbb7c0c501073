"""One forward pass over many sequences of different lengths, without padding.

All new tokens of all sequences (whole prompts, pieces of prompts, single sampled tokens) lie end to end in one row;
the dense layers see one matrix, and only attention knows where a sequence ends. It is plugged into a Hugging Face
model as an attention function, writes keys and values into a pool of slots (one sequence each) and reads them where
they lie: nothing is gathered or copied, and a slot outlives its request, so the next turn of an episode starts there.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import AttentionInterface, PreTrainedModel

from shared.errors import RestepError

ATTENTION: Final = "restep_ragged"
_CHECK_ROWS: Final = (5, 9)
_CHECK_TOLERANCE: Final = 1e-3
_CHECK_TOLERANCE_HALF: Final = 5e-2


@dataclass(frozen=True, slots=True)
class Chunk:
    """New tokens of one sequence: ``ids`` continue the ``past`` tokens whose keys and values are in ``slot``."""

    slot: int
    past: int
    ids: Sequence[int]


class KvPool:
    """Keys and values of ``slots`` sequences of at most ``slot_tokens`` tokens.

    A layer is allocated when it is first written, (kv heads, slots * slot_tokens, head size); on a CPU untouched
    pages cost nothing.
    """

    def __init__(self, slots: int, slot_tokens: int) -> None:
        self.slots = slots
        self.slot_tokens = slot_tokens
        self._layers: dict[int, tuple[Tensor, Tensor]] = {}

    def write(self, layer: int, positions: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Store new keys and values (kv heads, tokens, head size) at flat positions; the layer's whole store."""
        if layer not in self._layers:
            size = self.slots * self.slot_tokens
            self._layers[layer] = (
                key.new_empty(key.shape[0], size, key.shape[2]),
                value.new_empty(value.shape[0], size, value.shape[2]),
            )
        keys, values = self._layers[layer]
        keys.index_copy_(1, positions, key)
        values.index_copy_(1, positions, value)
        return keys, values

    def copy(self, source: int, target: int, tokens: int) -> None:
        """Copy the first ``tokens`` tokens of a slot into another."""
        a, b = source * self.slot_tokens, target * self.slot_tokens
        for layer in self._layers.values():
            for store in layer:
                store[:, b : b + tokens] = store[:, a : a + tokens]

    @property
    def bytes_per_token(self) -> int:
        """What one token takes over all layers written so far."""
        return sum(s.shape[0] * s.shape[2] * s.element_size() for layer in self._layers.values() for s in layer)


class RaggedBatch:
    """The layout of one forward pass, and its attention."""

    def __init__(self, pool: KvPool, chunks: Sequence[Chunk], device: torch.device) -> None:
        self._pool = pool
        self._rows: list[tuple[int, int, int, int]] = []  # first new token, new tokens, first of the slot, tokens in all
        ids: list[int] = []
        positions: list[int] = []
        flat: list[int] = []
        ends: list[int] = []
        for chunk in chunks:
            start, count = chunk.slot * pool.slot_tokens, len(chunk.ids)
            self._rows.append((len(ids), count, start, chunk.past + count))
            ids.extend(chunk.ids)
            positions.extend(range(chunk.past, chunk.past + count))
            flat.extend(range(start + chunk.past, start + chunk.past + count))
            ends.append(len(ids) - 1)
        self.ids = torch.tensor([ids], device=device)
        self.positions = torch.tensor([positions], device=device)
        self.ends = torch.tensor(ends, device=device)
        self._flat = torch.tensor(flat, device=device)
        self._masks = [self._mask(count, total, device) for _, count, _, total in self._rows]

    @staticmethod
    def _mask(count: int, total: int, device: torch.device) -> Tensor | None:
        """Causal mask of a piece of prompt behind its past; None where nothing, or plain causality, is needed."""
        if count == 1 or count == total:
            return None
        return torch.ones(count, total, dtype=torch.bool, device=device).tril(total - count)

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scaling: float) -> Tensor:
        """Attention of (heads, tokens, head size) over each token's own sequence; (tokens, heads, head size)."""
        keys, values = self._pool.write(layer, self._flat, key, value)
        heads, kv_heads = query.shape[0], key.shape[0]
        out = query.new_empty(query.shape[1], heads, value.shape[2])
        grouped = (query * scaling).view(kv_heads, heads // kv_heads, query.shape[1], query.shape[2])
        for (first, count, start, total), mask in zip(self._rows, self._masks, strict=True):
            k, v = keys[:, start : start + total], values[:, start : start + total]
            if count == 1:
                weights = torch.bmm(grouped[:, :, first], k.transpose(1, 2)).softmax(-1)
                out[first] = torch.bmm(weights, v).view(heads, -1)
                continue
            rows = query[:, first : first + count]
            attended = F.scaled_dot_product_attention(
                rows[None],
                k[None],
                v[None],
                attn_mask=mask,
                is_causal=mask is None,
                scale=scaling,
                enable_gqa=heads != kv_heads,
            )
            out[first : first + count] = attended[0].transpose(0, 1)
        return out


class _AttentionModule(Protocol):
    layer_idx: int


def _attention(
    module: _AttentionModule,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    *,
    ragged: RaggedBatch,
    **_: Any,
) -> tuple[Tensor, None]:
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    return ragged.attend(module.layer_idx, query[0], key[0], value[0], scale)[None], None


def forward(model: PreTrainedModel, pool: KvPool, chunks: Sequence[Chunk], wanted: Sequence[int] | None = None) -> Tensor:
    """Run the chunks through the model; logits (chunks, vocabulary) behind the last token of each.

    ``wanted`` are the chunks whose logits are needed (default: all). Call under ``torch.inference_mode``.
    """
    batch = RaggedBatch(pool, chunks, model.device)
    keep = batch.ends if wanted is None else batch.ends[torch.tensor(wanted, dtype=torch.long, device=batch.ends.device)]
    answer = model(input_ids=batch.ids, position_ids=batch.positions, use_cache=False, logits_to_keep=keep, ragged=batch)
    return answer.logits[0]


def prepare(model: PreTrainedModel, vocabulary: int) -> int:
    """Switch a model to ragged attention and prove that it still computes the same; bytes of KV per token.

    Models differ in what they do around attention (soft caps, windows, state-space layers), and one that ignores the
    plug would answer fluently and wrongly: so two prompts are run both ways. Raises ``unsuitable_model``.
    """
    AttentionInterface.register(ATTENTION, _attention)
    dice = random.Random(0)
    prompts = [[dice.randrange(vocabulary) for _ in range(n)] for n in _CHECK_ROWS]
    with torch.inference_mode():
        device = model.device
        expected = torch.stack([model(input_ids=torch.tensor([p], device=device)).logits[0, -1] for p in prompts])
        pool = KvPool(len(prompts), max(_CHECK_ROWS))
        try:
            model.set_attn_implementation(ATTENTION)
            forward(model, pool, [Chunk(i, 0, p[:2]) for i, p in enumerate(prompts)])
            forward(model, pool, [Chunk(i, 2, p[2:-1]) for i, p in enumerate(prompts)])
            got = forward(model, pool, [Chunk(i, len(p) - 1, p[-1:]) for i, p in enumerate(prompts)])
        except (ValueError, TypeError, AttributeError, RuntimeError) as error:
            raise RestepError("unsuitable_model", f"{type(model).__name__} does not take ragged attention: {error}") from error
    worst = float((got - expected).abs().max() / expected.abs().max().clamp(min=1e-6))
    tolerance = _CHECK_TOLERANCE if got.dtype == torch.float32 else _CHECK_TOLERANCE_HALF
    if not worst < tolerance:  # not a number is no agreement either
        raise RestepError("unsuitable_model", f"{type(model).__name__} computes otherwise with ragged attention ({worst:.1e})")
    return pool.bytes_per_token
