"""Where what can be made again is kept, and how a file is written so that readers see all of it or nothing.

A cache may be deleted at any time. ``RESTEP_CACHE`` moves it, for machines whose home folder cannot be written.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def cache_folder() -> Path:
    """``RESTEP_CACHE``, or restep's folder in the platform's cache."""
    if given := os.environ.get("RESTEP_CACHE"):
        return Path(given)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "restep"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "restep"


@contextmanager
def replacing(path: Path) -> Generator[BinaryIO]:
    """A file that becomes ``path`` when the block ends well, and vanishes when it does not. Raises ``OSError``.

    Folders above are made. Several processes may do it at once: the last one wins, each with a whole file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
