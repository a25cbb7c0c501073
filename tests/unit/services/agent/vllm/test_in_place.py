"""Which weights may take the place of others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from services.agent.checkpoint import open_checkpoint
from services.agent.vllm.in_place import fits_in_place, tensor_layout
from shared.errors import RestepError
from tests.support.tiny_model import tiny_checkpoint


def fits(one: Path, other: Path) -> bool:
    return fits_in_place(open_checkpoint(str(one)), open_checkpoint(str(other)))


def test_weights_of_the_same_shape_fit(first: Path, second: Path) -> None:
    assert fits(first, second)
    assert tensor_layout(first)["lm_head.weight"] == ("F32", (477, 32))


def test_another_type_or_context_does_not(first: Path, tmp_path: Path) -> None:
    assert not fits(first, tiny_checkpoint(tmp_path / "half", dtype=torch.float16))
    assert not fits(first, tiny_checkpoint(tmp_path / "long", context=2048))


def test_where_a_model_came_from_does_not_matter(first: Path, tmp_path: Path) -> None:
    other = tiny_checkpoint(tmp_path / "other", seed=7)
    config = json.loads((other / "config.json").read_bytes())
    (other / "config.json").write_text(json.dumps(config | {"_name_or_path": "elsewhere", "transformers_version": "9"}))
    assert fits(first, other)


def test_another_tokenizer_does_not_fit(first: Path, tmp_path: Path) -> None:
    other = tiny_checkpoint(tmp_path / "other", seed=7)
    tokenizer = other / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text().replace('"version": "1.0"', '"version":  "1.0"'))
    assert not fits(first, other)


def test_tied_embeddings_do_not_fit(tmp_path: Path) -> None:
    one, other = (tiny_checkpoint(tmp_path / str(seed), seed=seed, tied=True) for seed in (0, 7))
    assert not fits(one, other)


def test_damaged_weights_are_refused(first: Path, tmp_path: Path) -> None:
    other = tiny_checkpoint(tmp_path / "other", seed=7)
    weights = other / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(RestepError, match="unsuitable_model"):
        fits(first, other)
