"""Small files with their folders; see :mod:`shared.files` for how they are written."""

from __future__ import annotations

from pathlib import Path

from shared.errors import RestepError
from shared.files import whole_file


def write_whole(path: Path, content: bytes | str) -> Path:
    """Write ``content`` to ``path``, folders included. Raises ``store_failed``; the old file then still stands."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RestepError("store_failed", f"{path}: {error.strerror}") from None
    with whole_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)
    return path
