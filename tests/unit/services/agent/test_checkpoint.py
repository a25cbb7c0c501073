"""What is read from a checkpoint's folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from services.agent.checkpoint import open_checkpoint
from shared.errors import RestepError
from tests.support.tiny_model import tiny_tokenizer


@pytest.fixture
def folder(first: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(first, tmp_path / "copy"))


def edit(folder: Path, name: str, **fields: Any) -> None:
    path = folder / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def test_the_name_follows_the_content_and_the_folder(first: Path, second: Path, folder: Path) -> None:
    one, other, copy = (open_checkpoint(str(path)) for path in (first, second, folder))
    assert one.model.split("@") == ["first", copy.model.split("@")[1]], "same content, same hash"
    assert copy.model.startswith("copy@")
    assert other.model.split("@")[1] != one.model.split("@")[1], "other weights"
    assert other.tokenizer_hash == one.tokenizer_hash
    weights = folder / "model.safetensors"
    damaged = bytearray(weights.read_bytes())
    damaged[-1] ^= 1
    weights.write_bytes(damaged)
    assert open_checkpoint(str(folder)).model != copy.model, "one bit"


def test_stop_ids_come_from_generation_config_and_tokenizer(folder: Path) -> None:
    assert open_checkpoint(str(folder)).stop_ids == (2,)
    edit(folder, "generation_config.json", eos_token_id=[7, 9])
    assert open_checkpoint(str(folder)).stop_ids == (2, 7, 9)
    edit(folder, "generation_config.json", eos_token_id=None)
    assert open_checkpoint(str(folder)).stop_ids == (2,)


@pytest.mark.parametrize(
    ("fields", "positions"),
    [
        ({"max_position_embeddings": 512}, 512),
        ({"sliding_window": 64}, 64),
        ({"sliding_window": 64, "use_sliding_window": False}, 1024),
        ({"sliding_window": None}, 1024),
        ({"sliding_window": 4096}, 1024),
    ],
)
def test_the_context_is_what_attention_computes_exactly(folder: Path, fields: dict[str, Any], positions: int) -> None:
    edit(folder, "config.json", **fields)
    assert open_checkpoint(str(folder)).positions == positions


def test_chat_formats(folder: Path) -> None:
    assert open_checkpoint(str(folder)).chat_format == "chatml"
    tiny_tokenizer(chat_template="{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}{% endfor %}").save_pretrained(
        folder
    )
    other = open_checkpoint(str(folder))
    assert other.chat_format == "template"
    assert other.decode(other.encode_chat([{"role": "user", "content": "hello"}])) == "[user] hello"
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    tiny_tokenizer(chat_template=None).save_pretrained(folder)
    bare = open_checkpoint(str(folder))
    assert bare.chat_format == "none"
    with pytest.raises(RestepError, match="unsuitable_template"):
        bare.encode_chat([{"role": "user", "content": "hello"}])


def test_a_template_that_refuses_a_dialogue_says_so(folder: Path) -> None:
    strict = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}{{ messages[0]['content'] }}"
    tiny_tokenizer(chat_template=strict).save_pretrained(folder)
    with pytest.raises(RestepError, match="no system"):
        open_checkpoint(str(folder)).encode_chat([{"role": "system", "content": "x"}])


def test_text_survives_ids(first: Path) -> None:
    checkpoint = open_checkpoint(str(first))
    text = "Thought: I go.\nAction: open door , é😀"
    assert checkpoint.decode(checkpoint.encode(text)) == text
    assert checkpoint.encode("<|im_end|>") == [2]
    assert checkpoint.decode([2]) == ""


@pytest.mark.parametrize(("name", "text"), [("config.json", "{"), ("config.json", "[]"), ("tokenizer.json", "{")])
def test_a_damaged_folder_is_unsuitable(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    with pytest.raises(RestepError, match="unsuitable_model"):
        open_checkpoint(str(folder))


@pytest.mark.parametrize(
    "source", ["absent", "/absent/folder", "./absent", "no such name/x y", "~nobody-here/x", "/" + "long" * 2000, "nul\0"]
)
def test_what_is_not_there_is_said_without_asking_the_hub(source: str) -> None:
    with pytest.raises(RestepError, match="does not exist") as missing:
        open_checkpoint(source)
    assert missing.value.code == "checkpoint_not_found"


def test_a_name_the_hub_does_not_give_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(RestepError, match="checkpoint_not_found"):
        open_checkpoint("nobody/has-this-one")
