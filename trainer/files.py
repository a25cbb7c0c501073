"""Files that are whole or not there: written under another name first, then moved into place."""

from __future__ import annotations

import os
from pathlib import Path

from shared.errors import RestepError


def write_whole(path: Path, content: bytes | str) -> Path:
    """Write ``content`` to ``path``, folders included. Raises ``store_failed``; the old file then still stands."""
    data = content.encode() if isinstance(content, str) else content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}{os.environ.get('RANK', '')}.partial")  # ranks of a training write side by side
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as error:
        raise RestepError("store_failed", f"{path}: {error.strerror}") from None
    return path
