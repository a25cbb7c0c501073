"""A checkpoint to train: its tokenizer, its limits and its weights, as float32 if they are trained.

Small updates to half-precision weights round to nothing, and a checkpoint's own type would be taken by default.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import torch
from accelerate import init_empty_weights
from huggingface_hub import snapshot_download  # pyright: ignore[reportUnknownVariableType]  # loosely typed options
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from shared.errors import RestepError
from trainer.checkpoint_files import HUB_NAME, check_files

_FILES: Final = ("*.safetensors", "*.json", "*.model", "*.txt", "*.jinja")
_CONTENT: Final = ("config.json", "tokenizer.json", "tokenizer.model", "*.safetensors")


@dataclass(frozen=True, slots=True)
class Base:
    """A checkpoint without its weights, in the folder ``source``. It was made for sequences of ``positions`` tokens."""

    source: str
    tokenizer: PreTrainedTokenizerBase
    positions: int

    def content_hash(self) -> str:
        """SHA-256 over names and bytes of configuration, tokenizer and weights: what training starts from."""
        digest = hashlib.sha256()
        for path in sorted(path for pattern in _CONTENT for path in Path(self.source).glob(pattern)):
            digest.update(path.name.encode())
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()

    def load(self, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
        """The model; another type than float32 is for weights that are not trained.

        Raises ``checkpoint_not_found`` or ``unsuitable_model``.
        """
        try:
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                self.source, dtype=dtype, output_loading_info=True, use_safetensors=True
            )
        except (OSError, ValueError) as error:
            raise RestepError("checkpoint_not_found", f"{self.source}: {_first_line(error)}") from None
        except (RuntimeError, SafetensorError) as error:
            raise RestepError("unsuitable_model", f"{self.source}: {_first_line(error)}") from None
        model, info = cast("tuple[Any, dict[str, Any]]", loaded)
        if missing := sorted(info["missing_keys"]):  # the library only warns, and draws them at random
            detail = f"{self.source}: {len(missing)} weights are not in the checkpoint: {missing[0]}"
            raise RestepError("unsuitable_model", detail)
        rows = int(model.get_input_embeddings().num_embeddings)
        if len(self.tokenizer) > rows:
            raise RestepError("unsuitable_model", f"{self.source}: {len(self.tokenizer)} tokens but {rows} embeddings")
        return cast("PreTrainedModel", model)

    def outline(self, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
        """The model's layers without any weight, which costs neither time nor memory."""
        config = cast("Any", AutoConfig.from_pretrained(self.source))
        with init_empty_weights(include_buffers=False):
            return cast("PreTrainedModel", AutoModelForCausalLM.from_config(config, dtype=dtype))

    def placeholder(self, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
        """The model with weights that are yet to come: memory that is reserved, and takes no room until it is written."""
        model: Any = self.outline(dtype)
        for module in model.modules():
            for name, weight in list(module.named_parameters(recurse=False)):
                setattr(module, name, torch.nn.Parameter(torch.empty(weight.shape, dtype=weight.dtype)))
        model.tie_weights()
        return cast("PreTrainedModel", model)


def open_base(source: str) -> Base:
    """Read tokenizer and configuration of a folder or a Hugging Face name.

    Raises ``checkpoint_not_found`` when there is neither, or ``unsuitable_model`` when it cannot be read.
    """
    folder = _folder(source)
    check_files(Path(folder), source)
    try:
        config = cast("Any", AutoConfig.from_pretrained(folder))
        tokenizer = cast("PreTrainedTokenizerBase", AutoTokenizer.from_pretrained(folder))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RestepError("unsuitable_model", f"{source}: {_first_line(error)}") from None
    if hasattr(tokenizer, "legacy"):  # left out when saved, and what a Llama tokenizer read again makes of a text depends on it
        tokenizer.init_kwargs["legacy"] = cast("Any", tokenizer).legacy
    text = config.get_text_config()
    positions = getattr(text, "max_position_embeddings", None) or getattr(text, "n_positions", None) or 2048
    return Base(folder, tokenizer, int(positions))


def _folder(source: str) -> str:
    """The folder of a path, or of a name in the cache of the hub, downloaded where the hub can be reached."""
    path = Path(os.path.expanduser(source))  # os.path takes any text, pathlib fails on a long one or an unknown ~user
    if os.path.isdir(path):
        return str(path)
    if not HUB_NAME.fullmatch(source):
        raise RestepError("checkpoint_not_found", f"{source}: no such folder")
    try:
        return snapshot_download(source, allow_patterns=list(_FILES))
    except (OSError, ValueError) as error:
        raise RestepError("checkpoint_not_found", f"{source}: no such folder, and the hub says: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
