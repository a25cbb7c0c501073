"""Memory that loading left free, given back to the system: an allocator keeps it, and a server would show it for good."""

from __future__ import annotations

import ctypes
import sys


def give_back() -> None:
    """Return what is free to the system; does nothing where the C library cannot (only glibc can)."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
