"""Files that are whole under their name or not there: written under another name first, then moved into place."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from shared.errors import RestepError


@contextmanager
def whole_file(path: Path) -> Generator[BinaryIO]:
    """A file to write, of any length, that takes the name ``path`` when the block ends without an error.

    Else what stood there still stands, and nothing else is left. Raises ``store_failed``.
    """
    partial = path.with_name(f"{path.name}.{uuid4().hex}.partial")  # processes that share a folder write side by side
    try:
        with partial.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise RestepError("store_failed", f"{path}: {error.strerror or error}") from error
    finally:
        # Nothing is left half written; after the rename there is nothing to remove.
        with suppress(OSError):
            partial.unlink()
