"""Work that one process at a time may do, of all that work on one run: the others wait for their turn."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, Final

from shared.errors import RestepError

_BETWEEN_LOOKS: Final = 0.5
"""Seconds; a lock that were waited for in a thread could not be interrupted."""


@asynccontextmanager
async def turn(path: Path) -> AsyncGenerator[None]:
    """Hold the lock of a file, which is made; it is free again when this process ends, however it does.

    Raises ``store_failed`` where the file cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise RestepError("store_failed", f"{path}: {error.strerror}") from None
    with file:
        while not _locked(file):  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(_BETWEEN_LOOKS)
        yield


def _locked(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
