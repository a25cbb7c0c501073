"""What an adapter's folder says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.agent.adapter import is_adapter, open_adapter
from services.agent.checkpoint import open_checkpoint
from shared.errors import RestepError
from tests.support.tiny_adapter import tiny_adapter


def test_it_answers_with_its_own_name_and_its_bases_tokenizer(first: Path, tmp_path: Path) -> None:
    path = tiny_adapter(tmp_path / "skill", first)
    adapter = open_adapter(str(path), None)
    base = open_checkpoint(str(first))
    assert is_adapter(str(path))
    assert not is_adapter(str(first))
    assert (adapter.base.model, adapter.rank) == (base.model, 4)
    assert adapter.checkpoint.model.startswith("skill@")
    assert adapter.checkpoint.folder == path
    assert adapter.checkpoint.tokenizer_hash == base.tokenizer_hash


def test_its_name_depends_on_its_weights_and_on_its_base(first: Path, second: Path, tmp_path: Path) -> None:
    one, other, moved = (tmp_path / name / "skill" for name in ("one", "other", "moved"))
    tiny_adapter(one, first)
    tiny_adapter(other, first, seed=1)
    tiny_adapter(moved, second)
    (moved / "adapter_config.json").write_bytes((one / "adapter_config.json").read_bytes())
    served = open_checkpoint(str(second))
    names = {open_adapter(str(path), None).checkpoint.model for path in (one, other)}
    config = json.loads((moved / "adapter_config.json").read_bytes())
    (moved / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": str(second)}))
    adapter = open_adapter(str(moved), served)
    assert len(names | {adapter.checkpoint.model}) == 3
    assert adapter.base is served, "what is served already is not read again"


def test_the_largest_rank_counts(first: Path, tmp_path: Path) -> None:
    path = tiny_adapter(tmp_path / "skill", first)
    config = json.loads((path / "adapter_config.json").read_bytes())
    (path / "adapter_config.json").write_text(json.dumps(config | {"rank_pattern": {"q_proj": 32}}))
    assert open_adapter(str(path), None).rank == 32


def test_damaged_folders_are_refused(first: Path, tmp_path: Path) -> None:
    path = tiny_adapter(tmp_path / "skill", first)
    config = json.loads((path / "adapter_config.json").read_bytes())
    (path / "adapter_model.safetensors").rename(path / "elsewhere")
    with pytest.raises(RestepError, match=r"has no adapter_model\.safetensors"):
        open_adapter(str(path), None)
    for wrong in ("{", "[]", json.dumps({"r": 4}), json.dumps(config | {"r": "many"})):
        (path / "adapter_config.json").write_text(wrong)
        with pytest.raises(RestepError, match="unsuitable_model"):
            open_adapter(str(path), None)


def test_a_base_that_is_not_there_is_named(first: Path, tmp_path: Path) -> None:
    path = tiny_adapter(tmp_path / "skill", first)
    config = json.loads((path / "adapter_config.json").read_bytes())
    (path / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": str(tmp_path / "absent")}))
    with pytest.raises(RestepError, match="absent does not exist"):
        open_adapter(str(path), None)
