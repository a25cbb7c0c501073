"""What the files of a checkpoint say before PyTorch is imported: whether anything can be trained from them at all.

A run that is going to train from a folder that is none, or lacks half of its weights, should not collect for hours first.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any, Final, cast

import orjson

from shared.errors import RestepError
from trainer.shipped import locate

HUB_NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_TOKENIZERS: Final = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")
_INDEX: Final = "model.safetensors.index.json"


def check_checkpoint(source: str) -> None:
    """Look at a folder's files, or at how a name on the Hugging Face hub is written.

    Raises ``checkpoint_not_found``, ``unsuitable_model``.
    """
    path = Path(locate(source))
    if os.path.isdir(path):
        check_files(path, source)
    elif not HUB_NAME.fullmatch(source):
        raise RestepError("checkpoint_not_found", f"{source}: no such folder")


def check_files(folder: Path, source: str) -> None:
    """Raise unless the folder has a configuration, a tokenizer within its vocabulary, and its weights to the last byte."""
    if not (folder / "config.json").is_file():
        raise RestepError("checkpoint_not_found", f"{source}: no config.json in this folder")
    try:
        config = _object(folder / "config.json")
        if not any((folder / name).is_file() for name in _TOKENIZERS):
            raise RestepError("unsuitable_model", f"{source}: no tokenizer in this folder")
        _check_vocabulary(folder, config)
        _check_weights(folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RestepError("unsuitable_model", f"{source}: {error}") from None


def _object(path: Path) -> dict[str, Any]:
    try:
        body: object = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise ValueError(f"{path.name}: {error}") from None
    if not isinstance(body, dict):
        raise ValueError(f"{path.name}: no object")
    return cast("dict[str, Any]", body)


def _check_vocabulary(folder: Path, config: dict[str, Any]) -> None:
    rows = config.get("vocab_size") or config.get("text_config", {}).get("vocab_size")
    if rows is None or not (folder / "tokenizer.json").is_file():
        return
    tokenizer = _object(folder / "tokenizer.json")
    vocabulary = cast("dict[str, int] | list[tuple[str, float]] | None", tokenizer.get("model", {}).get("vocab"))
    if vocabulary is None:
        raise ValueError("tokenizer.json: no vocabulary")
    tokens = set(vocabulary if isinstance(vocabulary, dict) else (token for token, _ in vocabulary))
    tokens |= {added["content"] for added in tokenizer.get("added_tokens", [])}
    if len(tokens) > rows:
        raise ValueError(f"{len(tokens)} tokens but {rows} embeddings")


def _check_weights(folder: Path) -> None:
    """Every file of weights that there should be is there and as long as its header says."""
    names = sorted(path.name for path in folder.glob("*.safetensors"))
    if (folder / _INDEX).is_file():
        names = sorted(set(cast("dict[str, str]", _object(folder / _INDEX)["weight_map"]).values()))
    if not names:
        raise RestepError("checkpoint_not_found", f"{folder}: no weights (*.safetensors) in this folder")
    for name in names:
        if not (folder / name).is_file():
            raise ValueError(f"{name} is missing")
        expected, found = _length(folder / name), (folder / name).stat().st_size
        if found != expected:
            raise ValueError(f"{name} is damaged: {found} bytes, not {expected}")


def _length(path: Path) -> int:
    """Bytes of a file of tensors: 8 of the header's length, the header, and as far as its last tensor reaches."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if not 0 < size < path.stat().st_size:
            raise ValueError(f"{path.name} is no file of tensors")
        try:
            header = cast("dict[str, dict[str, Any]]", json.loads(file.read(size)))
        except json.JSONDecodeError:
            raise ValueError(f"{path.name} is no file of tensors") from None
    return 8 + size + max((entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"), default=0)
