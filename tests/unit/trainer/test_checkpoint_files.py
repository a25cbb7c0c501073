"""What is wrong with a checkpoint is told from its files, without PyTorch, and what can be trained from passes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models
from transformers import AutoModelForCausalLM, PreTrainedModel

from shared.errors import RestepError
from tests.support.tiny_model import tiny_checkpoint
from trainer.checkpoint_files import check_checkpoint


def _refusal(source: str) -> RestepError:
    with pytest.raises(RestepError) as caught:
        check_checkpoint(source)
    assert source in caught.value.detail
    assert "\n" not in caught.value.detail
    return caught.value


def _edit(path: Path, **fields: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_what_is_whole_passes(tmp_path: Path) -> None:
    check_checkpoint("base")
    check_checkpoint("somebody/a-model.on-the-hub")
    check_checkpoint(str(tiny_checkpoint(tmp_path, dtype=torch.bfloat16, tied=True)))


def test_weights_in_several_files_are_looked_at_one_by_one(tmp_path: Path) -> None:
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(tiny_checkpoint(tmp_path / "one"))
    folder = tiny_checkpoint(tmp_path / "several")
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="50KB")
    shards = sorted(folder.glob("*.safetensors"))
    assert len(shards) > 1
    check_checkpoint(str(folder))
    shards[0].unlink()
    refusal = _refusal(str(folder))
    assert refusal.code == "unsuitable_model"
    assert f"{shards[0].name} is missing" in refusal.detail


@pytest.mark.parametrize("source", ["/no/where", "base-of-nobody", "~nobody-here/x", "/" + "long" * 2000, "."])
def test_what_is_not_there_is_not_found(source: str) -> None:
    assert _refusal(source).code == "checkpoint_not_found"


BREAKAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no configuration": (lambda folder: (folder / "config.json").unlink(), "no config.json"),
    "a configuration cut off": (lambda folder: (folder / "config.json").write_text("{"), "config.json"),
    "a configuration of another kind": (lambda folder: (folder / "config.json").write_text("[]"), "config.json: no object"),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "no tokenizer"),
    "a tokenizer of another kind": (lambda folder: _edit(folder / "tokenizer.json", model={}), "tokenizer.json"),
    "a tokenizer of another model": (lambda folder: _edit(folder / "config.json", vocab_size=100), "but 100 embeddings"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "no weights"),
    "weights cut off": (lambda folder: _shorten(folder / "model.safetensors", 100), "damaged"),
    "hardly any weights": (lambda folder: (folder / "model.safetensors").write_bytes(b"none"), "no file of tensors"),
}


def _shorten(path: Path, count: int) -> None:
    path.write_bytes(path.read_bytes()[:-count])


@pytest.mark.parametrize("name", BREAKAGES)
def test_what_is_missing_or_damaged_is_named(name: str, tmp_path: Path) -> None:
    breakage, named = BREAKAGES[name]
    breakage(tiny_checkpoint(tmp_path))
    refusal = _refusal(str(tmp_path))
    assert refusal.code == ("checkpoint_not_found" if name in ("no configuration", "no weights") else "unsuitable_model")
    assert named in refusal.detail


def test_a_vocabulary_of_pieces_with_their_probabilities_is_counted_with_what_was_added(tmp_path: Path) -> None:
    tiny_checkpoint(tmp_path)
    tokenizer = Tokenizer(models.Unigram([("a", -1.0), ("b", -1.5), ("ab", -2.0)], 0, False))
    tokenizer.add_special_tokens(["</s>", "a"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    _edit(tmp_path / "config.json", vocab_size=4)
    check_checkpoint(str(tmp_path))
    _edit(tmp_path / "config.json", vocab_size=3)
    assert "4 tokens but 3 embeddings" in _refusal(str(tmp_path)).detail


def test_nothing_heavy_is_imported_for_it() -> None:
    script = "import sys, trainer.preflight; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
