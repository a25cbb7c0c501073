"""Which weights may be put in the place of others while the server runs, and which need a server of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, cast

from safetensors import SafetensorError, safe_open

from services.agent.checkpoint import Checkpoint
from shared.errors import RestepError

_NOTES: Final = ("_name_or_path", "transformers_version", "_commit_hash")
"""Lines of config.json that say where a model came from, not what it is."""

Layout = dict[str, tuple[str, tuple[int, ...]]]


def fits_in_place(old: Checkpoint, new: Checkpoint) -> bool:
    """Whether ``new`` has the configuration, the tokenizer and the tensors of ``old``, and embeddings that are not tied.

    Tied ones need a fresh server: the build for processors keeps a packed copy of the output layer that a reload of the
    input embeddings does not reach. Raises ``unsuitable_model`` for damaged weights.
    """
    config = _config(old)
    if config != _config(new) or old.tokenizer_hash != new.tokenizer_hash:
        return False
    layout = tensor_layout(old.folder)
    tied = bool(config.get("tie_word_embeddings")) or not any(name.endswith("lm_head.weight") for name in layout)
    return not tied and layout == tensor_layout(new.folder)


def tensor_layout(folder: Path) -> Layout:
    """Type and shape of every tensor of a folder's safetensors, by name. Raises ``unsuitable_model``."""
    found: Layout = {}
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with cast(Any, safe_open(path, framework="np")) as tensors:  # without stubs
                for name in list(tensors.keys()):
                    piece = tensors.get_slice(name)
                    found[str(name)] = (str(piece.get_dtype()), tuple(piece.get_shape()))
        except (OSError, SafetensorError) as error:
            raise RestepError("unsuitable_model", f"{path}: {error}") from None
    return found


def _config(checkpoint: Checkpoint) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((checkpoint.folder / "config.json").read_bytes())
    return {name: value for name, value in config.items() if name not in _NOTES}
