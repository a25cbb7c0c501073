"""Files that are whole or not there: written under another name first, then moved into place."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from shared.errors import RestepError


def write_whole(path: Path, content: bytes | str) -> Path:
    """Write ``content`` to ``path``, folders included. Raises ``store_failed``; the old file then still stands."""
    data = content.encode() if isinstance(content, str) else content
    partial = path.with_name(f"{path.name}.{uuid4().hex}.partial")  # processes that share a run write side by side
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise RestepError("store_failed", f"{path}: {error.strerror}") from None
    return path
