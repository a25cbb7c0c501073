"""Low-rank adapters: what is trained, that nothing changes before training, and what becomes of the base afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file  # pyright: ignore[reportUnknownVariableType]  # a path of any kind

from shared.errors import RestepError
from tests.support.masked_reference import documents, naive, relative_error, step
from tests.support.tiny_model import tiny_checkpoint
from trainer.checkpoint import open_base
from trainer.finetune_config import LoraOptions
from trainer.lora import attach, merge, save_adapter
from trainer.pack import Pack

OPTIONS = LoraOptions(rank=3, alpha=6.0)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("base"))


def _strong(model: Any) -> None:
    """Adapters as after a training: none of them zero."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))


def test_only_float32_adapters_of_every_linear_layer_but_the_output_are_trained(base: Path) -> None:
    model = attach(open_base(str(base)).load(torch.bfloat16), OPTIONS)
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert len(trained) == 2 * 7 * 2  # layers, projections, matrices
    assert all("lora_" in name and "lm_head" not in name for name in trained)
    assert {parameter.dtype for parameter in trained.values()} == {torch.float32}


def test_nothing_changes_before_training(base: Path) -> None:
    ids = torch.arange(3, 20)[None]
    plain: Any = open_base(str(base)).load()
    before = plain(input_ids=ids).logits
    assert torch.equal(attach(plain, OPTIONS)(input_ids=ids).logits, before)


def test_loss_and_gradient_in_a_packed_row_equal_the_reference(base: Path, tmp_path: Path) -> None:
    rows = documents(base)
    model: Any = attach(open_base(str(base)).load(), OPTIONS)
    _strong(model)
    loss, gradients = naive(model, rows)
    line, found = step(model, [Pack(tuple(rows))], tmp_path)
    assert line["loss"] == pytest.approx(loss, rel=1e-5)
    assert relative_error(found, gradients) < 1e-5


def test_merged_it_is_one_checkpoint_that_answers_the_same(base: Path, tmp_path: Path) -> None:
    opened = open_base(str(base))
    model: Any = attach(opened.load(), OPTIONS)
    _strong(model)
    ids = torch.arange(3, 20)[None]
    expected = model(input_ids=ids).logits
    save_adapter(model, None, tmp_path, opened.source)
    whole: Any = merge(opened.load(), tmp_path)
    assert torch.allclose(whole(input_ids=ids).logits, expected, atol=1e-5)
    assert dict(whole.named_parameters()).keys() == dict(opened.load().named_parameters()).keys()


def test_the_adapter_is_kept_in_pefts_layout(base: Path, tmp_path: Path) -> None:
    opened = open_base(str(base))
    save_adapter(attach(opened.load(), OPTIONS), None, tmp_path, opened.source)
    assert {path.name for path in tmp_path.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    names = load_file(tmp_path / "adapter_model.safetensors").keys()
    assert "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight" in names


def test_an_adapter_that_lacks_weights_is_not_merged(base: Path, tmp_path: Path) -> None:
    opened = open_base(str(base))
    save_adapter(attach(opened.load(), OPTIONS), {}, tmp_path, opened.source)
    with pytest.raises(RuntimeError, match="lacks"):
        merge(opened.load(), tmp_path)


def test_a_layer_that_is_not_there_is_named(base: Path) -> None:
    with pytest.raises(RestepError, match="nonsense") as caught:
        attach(open_base(str(base)).load(), LoraOptions(targets=["nonsense"]))
    assert caught.value.code == "invalid_recipe"
    assert "\n" not in caught.value.detail
