"""LoRA adapters: a folder in PEFT's layout, which answers with the tokenizer of the base it was trained on."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from services.agent.checkpoint import Checkpoint, content_hash, open_checkpoint
from shared.errors import RestepError

_CONFIG: Final = "adapter_config.json"
_WEIGHTS: Final = "adapter_model.safetensors"
"""The only layout that is read: others are programs in disguise."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter on disk. ``checkpoint`` is what answers: the base with the adapter's own name and folder."""

    base: Checkpoint
    checkpoint: Checkpoint
    rank: int


def is_adapter(source: str) -> bool:
    """Whether a folder holds an adapter and no weights of its own."""
    folder = Path(os.path.expanduser(source))
    return os.path.isfile(folder / _CONFIG) and not os.path.isfile(folder / "config.json")


def open_adapter(source: str, served: Checkpoint | None) -> Adapter:
    """Read everything but the weights; ``served`` saves opening the base again when it is the one.

    Raises ``unsuitable_model`` for a damaged folder, ``checkpoint_not_found`` for one whose base is not there.
    """
    folder = Path(os.path.expanduser(source)).resolve()
    try:
        config: dict[str, Any] = json.loads((folder / _CONFIG).read_bytes())
        named = str(config["base_model_name_or_path"])
        pattern: dict[str, int] = config.get("rank_pattern") or {}
        rank = max(map(int, [config["r"], *pattern.values()]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RestepError("unsuitable_model", f"{source}: {_CONFIG}: {type(error).__name__}: {error}") from None
    if not (folder / _WEIGHTS).is_file():
        raise RestepError("unsuitable_model", f"{source} has no {_WEIGHTS}")
    base = served if served is not None and named in (served.source, str(served.folder)) else open_checkpoint(named)
    identity = content_hash(folder, (_CONFIG, _WEIGHTS), base.model.rpartition("@")[2])
    checkpoint = replace(base, source=source, folder=folder, model=f"{folder.name}@{identity[:12]}")
    return Adapter(base, checkpoint, rank)
