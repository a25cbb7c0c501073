"""Opening a checkpoint: what it says of itself, float32 weights, and one line for what cannot be opened."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file  # pyright: ignore[reportUnknownVariableType]  # a path of any kind

from shared.errors import RestepError
from tests.support.tiny_model import tiny_checkpoint
from trainer.checkpoint import open_base


def test_a_folder_is_opened_and_loaded_in_float32(tmp_path: Path) -> None:
    base = open_base(str(tiny_checkpoint(tmp_path, dtype=torch.bfloat16, context=777)))
    assert base.positions == 777
    assert base.tokenizer.eos_token == "<|im_end|>"
    assert {parameter.dtype for parameter in base.load().parameters()} == {torch.float32}


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    for source in (str(tmp_path / "none"), str(tmp_path), "base-of-nobody", "~nobody-here/x", "/" + "long" * 2000):
        with pytest.raises(RestepError) as caught:
            open_base(source)
        assert caught.value.code == "checkpoint_not_found"


def test_a_hub_name_that_is_not_cached_is_not_found_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(RestepError) as caught:
        open_base("nobody/has-this-model")
    assert caught.value.code == "checkpoint_not_found"
    assert "\n" not in caught.value.detail


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_broken_folder_is_unsuitable(tmp_path: Path, text: str) -> None:
    tiny_checkpoint(tmp_path)
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(RestepError) as caught:
        open_base(str(tmp_path))
    assert caught.value.code == "unsuitable_model"


def test_a_folder_without_weights_is_not_found(tmp_path: Path) -> None:
    tiny_checkpoint(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(RestepError) as caught:
        open_base(str(tmp_path))
    assert caught.value.code == "checkpoint_not_found"


def test_damaged_weights_are_unsuitable(tmp_path: Path) -> None:
    tiny_checkpoint(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(RestepError, match="unsuitable_model"):
        open_base(str(tmp_path))


def test_weights_that_are_not_in_the_checkpoint_are_never_drawn_at_random(tmp_path: Path) -> None:
    tiny_checkpoint(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(RestepError, match=r"1 weights are not in .*model\.layers\.1\.mlp\.up_proj\.weight") as caught:
        open_base(str(tmp_path)).load()
    assert caught.value.code == "unsuitable_model"


def test_an_outline_has_the_layers_and_no_weight(tmp_path: Path) -> None:
    base = open_base(str(tiny_checkpoint(tmp_path)))
    layers = {name: parameter.shape for name, parameter in base.load().named_parameters()}
    outline = dict(base.outline().named_parameters())
    assert {name: parameter.shape for name, parameter in outline.items()} == layers
    assert all(parameter.is_meta for parameter in outline.values())


@pytest.mark.parametrize("tied", [False, True])
def test_a_placeholder_takes_weights_that_come_later(tied: bool, tmp_path: Path) -> None:
    base = open_base(str(tiny_checkpoint(tmp_path, tied=tied)))
    whole, empty = base.load(), base.placeholder()
    assert len(list(empty.parameters())) == len(list(whole.parameters()))
    assert len({parameter.data_ptr() for parameter in empty.parameters()}) == len(list(empty.parameters()))
    empty.load_state_dict(whole.state_dict())
    ids = torch.arange(9)[None]
    assert torch.equal(empty(input_ids=ids).logits, whole(input_ids=ids).logits)  # buffers are there already


def test_more_tokens_than_embeddings_is_unsuitable(tmp_path: Path) -> None:
    tiny_checkpoint(tmp_path)
    base = open_base(str(tmp_path))
    base.tokenizer.add_tokens(["new"])
    with pytest.raises(RestepError, match="embeddings") as caught:
        base.load()
    assert caught.value.code == "unsuitable_model"
    assert json.loads((tmp_path / "config.json").read_text())["vocab_size"] == len(base.tokenizer) - 1


def test_its_hash_is_of_the_content_not_the_place(tmp_path: Path) -> None:
    one, same, other = (
        open_base(str(tiny_checkpoint(tmp_path / name, seed=seed))) for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert one.content_hash() == same.content_hash() != other.content_hash()
