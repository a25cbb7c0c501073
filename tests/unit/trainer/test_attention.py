"""Attention inside documents equals dense attention with the block-diagonal mask, also for grouped heads."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

from trainer import attention
from trainer.attention import NAME, attend_in_one_call, attend_within_documents, use_document_attention


@pytest.mark.parametrize("key_heads", [4, 2])
def test_equals_the_masked_softmax(key_heads: int) -> None:
    generator = torch.Generator().manual_seed(0)
    sizes = [5, 1, 9]
    length = sum(sizes)
    query = torch.randn(1, 4, length, 8, generator=generator, dtype=torch.float64)
    key, value = (torch.randn(1, key_heads, length, 8, generator=generator, dtype=torch.float64) for _ in range(2))
    borders = torch.tensor([0, 5, 6, 15], dtype=torch.int32)
    found, _ = attend_within_documents(torch.nn.Identity(), query, key, value, None, scaling=0.3, cu_seq_lens_q=borders)
    document = torch.repeat_interleave(torch.arange(3), torch.tensor(sizes))
    allowed = (document[:, None] == document[None]) & torch.ones(length, length).tril().bool()
    repeated_key, repeated_value = (states.repeat_interleave(4 // key_heads, 1) for states in (key, value))
    scores = (query @ repeated_key.transpose(-1, -2) * 0.3).masked_fill(~allowed, float("-inf"))
    expected = (torch.softmax(scores, -1) @ repeated_value).transpose(1, 2)
    assert torch.allclose(found, expected, atol=1e-12)


def test_without_borders_the_row_is_one_document() -> None:
    states = torch.randn(1, 2, 6, 4, dtype=torch.float64)
    alone, _ = attend_within_documents(torch.nn.Identity(), states, states, states, None)
    whole, _ = attend_within_documents(
        torch.nn.Identity(), states, states, states, None, cu_seq_lens_q=torch.tensor([0, 6], dtype=torch.int32)
    )
    assert torch.equal(alone, whole)


def test_only_plain_causal_models_are_switched() -> None:
    sizes = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "vocab_size": 32,
    }
    plain = LlamaForCausalLM(LlamaConfig(**sizes))  # pyright: ignore[reportArgumentType]  # keywords of several types
    windowed = MistralForCausalLM(MistralConfig(**sizes, sliding_window=4))  # pyright: ignore[reportArgumentType]  # as above
    assert use_document_attention(plain)
    assert plain.config._attn_implementation == NAME  # pyright: ignore[reportPrivateUsage]  # where the library keeps it
    assert not use_document_attention(windowed)
    assert windowed.config._attn_implementation != NAME  # pyright: ignore[reportPrivateUsage]  # as above


def _documents(sizes: list[int], dtype: torch.dtype, device: str = "cpu") -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    query = torch.randn(1, 4, sum(sizes), 8, generator=generator, dtype=torch.float32)
    key, value = (torch.randn(1, 2, sum(sizes), 8, generator=generator, dtype=torch.float32) for _ in range(2))
    borders = torch.tensor([0, *sizes]).cumsum(0).to(torch.int32)
    return (*(states.to(device, dtype) for states in (query, key, value)), borders.to(device))


def test_one_call_asks_the_kernel_for_the_same() -> None:
    """A stand-in takes the place of the kernel, which needs a GPU; everything up to it is PyTorch's own."""

    def kernel(
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        cum_seq_q: torch.Tensor,
        cum_seq_k: torch.Tensor,
        max_q: int,
        max_k: int,
        dropout_p: float,
        is_causal: bool,
        return_debug_mask: bool,
        *,
        scale: float | None = None,
        window_size_left: int | None = None,
        window_size_right: int | None = None,
        **_: object,
    ) -> tuple[torch.Tensor, ...]:
        assert is_causal
        assert (window_size_left, window_size_right) == (-1, 0)
        assert (max_q, max_k, dropout_p) == (9, 9, 0.0)
        assert torch.equal(cum_seq_q, cum_seq_k)
        states = [one.transpose(0, 1)[None] for one in (query, key, value)]
        attend = partial(attend_within_documents, torch.nn.Identity(), states[0], states[1], states[2], None)
        out = attend(scaling=scale, cu_seq_lens_q=cum_seq_q)[0]
        empty = torch.empty(0)
        return out[0].clone(), torch.zeros(query.shape[1], len(query)), empty, empty, empty

    library = torch.library.Library("aten", "IMPL")
    library.impl("_flash_attention_forward", kernel, "CPU")
    try:
        query, key, value, borders = _documents([5, 1, 9], torch.float32)
        expected, _ = attend_within_documents(torch.nn.Identity(), query, key, value, None, scaling=0.3, cu_seq_lens_q=borders)
        assert torch.allclose(attend_in_one_call(query, key, value, 0.3, borders, 9), expected, atol=1e-6)
    finally:
        library._destroy()  # pyright: ignore[reportPrivateUsage]  # there is no public way


def _model() -> LlamaForCausalLM:
    sizes = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "vocab_size": 64}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(**sizes, **heads))  # pyright: ignore[reportArgumentType]  # keywords of several types
    assert use_document_attention(model)
    return model


def _row() -> dict[str, Any]:
    borders = torch.tensor([0, 5, 6, 15], dtype=torch.int32)
    places = torch.tensor([[*range(5), 0, *range(9)]])
    limits = {"cu_seq_lens_q": borders, "cu_seq_lens_k": borders, "max_length_q": 9, "max_length_k": 9}
    return {"input_ids": places, "position_ids": places, "use_cache": False, **limits}


def test_in_autocast_queries_and_keys_are_in_half_precision_as_values_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rotation makes them float32, and the kernel would never be called."""
    types: list[tuple[torch.dtype, ...]] = []

    def attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, **given: Any) -> torch.Tensor:
        types.append((query.dtype, key.dtype, value.dtype))
        return scaled_dot_product_attention(query, key, value, **given)

    monkeypatch.setattr(attention, "scaled_dot_product_attention", attend)
    with torch.autocast("cpu", torch.bfloat16):
        _model()(**_row())
    assert types == [(torch.bfloat16,) * 3] * 6  # two layers of three documents


def test_one_call_gives_shapes_and_gradients_as_pytorch_declares_them() -> None:
    query, key, value, borders = _documents([5, 1, 9], torch.bfloat16, "meta")
    for states in (query, key, value):
        states.requires_grad_()
    for limits in ((borders, 9), (None, None)):
        found = attend_in_one_call(query, key, value, None, *limits)
        assert found.shape == (1, 15, 4, 8)
        assert found.dtype == torch.bfloat16
    found.float().sum().backward()
    assert query.grad is not None
    assert key.grad is not None
    assert key.grad.shape == key.shape
