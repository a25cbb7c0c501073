"""What a folder in Hugging Face's layout says before any weight is read: its identity, tokenizer and limits.

A checkpoint is named by its folder and the start of the hash of its content, because two trainings may write to
folders of the same name and every trajectory must say which of them spoke.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from huggingface_hub import snapshot_download  # pyright: ignore[reportUnknownVariableType]  # loosely typed options
from jinja2 import TemplateError
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from shared.agent_protocol import ChatFormatName
from shared.errors import RestepError

_HUB_NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_CONTENT: Final = ("*.safetensors", "config.json", "generation_config.json", "tokenizer.json")
_BLOCK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint on disk. ``model`` is ``name@hash``; ``positions`` is what its position encoding was made for."""

    source: str
    folder: Path
    model: str
    tokenizer: PreTrainedTokenizerBase
    tokenizer_hash: str
    vocabulary: int
    positions: int
    stop_ids: tuple[int, ...]
    chat_format: ChatFormatName

    def encode(self, text: str) -> list[int]:
        """Ids of a text; names of special tokens become them."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False)
        return ids

    def encode_chat(self, messages: Sequence[dict[str, str]]) -> list[int]:
        """Ids of a dialogue with the generation prompt. Raises ``unsuitable_template``."""
        if self.chat_format == "none":
            raise RestepError("unsuitable_template", f"{self.model} has no chat template; use /v1/completions")
        return self.encode(self._chat_text(messages))

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids, special tokens left out."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def token(self, token_id: int) -> str:
        """One id as text, for people."""
        return str(self.tokenizer.decode([token_id], clean_up_tokenization_spaces=False))

    def _chat_text(self, messages: Sequence[dict[str, str]]) -> str:
        try:
            return str(self.tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True))
        except TemplateError as error:
            raise RestepError("unsuitable_template", f"the chat template refuses this dialogue: {error}") from None


def open_checkpoint(source: str) -> Checkpoint:
    """Read everything but the weights. Raises ``checkpoint_not_found`` or, for a damaged folder, ``unsuitable_model``."""
    folder = _folder(source)
    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_bytes())
        tokenizer = cast(PreTrainedTokenizerBase, AutoTokenizer.from_pretrained(folder))
        tokenizer_file = folder / "tokenizer.json"
        tokenizer_bytes = tokenizer_file.read_bytes() if tokenizer_file.exists() else json.dumps(tokenizer.get_vocab()).encode()
        stop_ids = _stop_ids(folder, config, tokenizer)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RestepError("unsuitable_model", f"{source}: {_first_line(error)}") from None
    return Checkpoint(
        source=source,
        folder=folder,
        model=f"{Path(source).name or folder.name}@{content_hash(folder)[:12]}",
        tokenizer=tokenizer,
        tokenizer_hash=hashlib.sha256(tokenizer_bytes).hexdigest()[:16],
        vocabulary=int(config.get("vocab_size") or len(tokenizer)),
        positions=_positions(config),
        stop_ids=stop_ids,
        chat_format=_chat_format(tokenizer),
    )


def _folder(source: str) -> Path:
    path = Path(os.path.expanduser(source))  # os.path takes any text, pathlib fails on a long one or an unknown ~user
    if os.path.isfile(path / "config.json"):
        return path.resolve()
    if os.path.exists(path) or not _HUB_NAME.fullmatch(source) or os.path.isdir(path.parts[0]):
        why = "has no config.json" if os.path.exists(path) else "does not exist"
        if os.path.isfile(path / "adapter_config.json"):
            why = "is a LoRA adapter, which the vllm back end serves"
        raise RestepError("checkpoint_not_found", f"{source} {why}")
    try:
        return Path(snapshot_download(source, allow_patterns=["*.safetensors", "*.json", "*.model", "*.txt", "*.jinja"]))
    except Exception as error:  # noqa: BLE001 - the hub raises errors of half a dozen libraries; all mean the same here
        raise RestepError("checkpoint_not_found", f"{source}: no such folder, and the hub says: {_first_line(error)}") from None


def content_hash(folder: Path, patterns: Sequence[str] = _CONTENT, base: str = "") -> str:
    """SHA-256 over names and bytes of the files that match; by default weights, configuration and tokenizer.

    ``base`` is the identity of what they build upon, where they build upon something.
    """
    digest = hashlib.sha256(base.encode())
    for path in sorted({path for pattern in patterns for path in folder.glob(pattern)}):
        digest.update(path.name.encode())
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()


def _positions(config: dict[str, Any]) -> int:
    """Longest sequence the model computes exactly: beyond a sliding window attention would have to forget."""
    longest = int(config.get("max_position_embeddings") or config.get("n_positions") or 2048)
    window = config.get("sliding_window") if config.get("use_sliding_window", True) else None
    return min(longest, int(window)) if window else longest


def _stop_ids(folder: Path, config: dict[str, Any], tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    path = folder / "generation_config.json"
    generation: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
    found: set[int] = set()
    for given in (generation.get("eos_token_id", config.get("eos_token_id")), tokenizer.eos_token_id):
        ids = cast(list[int], given if isinstance(given, list) else [given])
        found.update(token for token in ids if token is not None)  # pyright: ignore[reportUnnecessaryComparison]  # files say null
    return tuple(sorted(found))


def _chat_format(tokenizer: PreTrainedTokenizerBase) -> ChatFormatName:
    if not tokenizer.chat_template:
        return "none"
    try:
        text = str(tokenizer.apply_chat_template([{"role": "user", "content": "x"}], tokenize=False))
    except TemplateError:
        return "template"
    return "chatml" if text == "<|im_start|>user\nx<|im_end|>\n" else "template"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
