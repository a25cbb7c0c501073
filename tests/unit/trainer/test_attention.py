"""Attention inside documents equals dense attention with the block-diagonal mask, also for grouped heads."""

from __future__ import annotations

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

from trainer.attention import NAME, attend_within_documents, use_document_attention


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
