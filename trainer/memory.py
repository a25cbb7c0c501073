"""The most memory a process has held, where its model lives."""

from __future__ import annotations

import resource
import sys

import torch

GIB = 2**30


def peak_memory(device: torch.device) -> int:
    """Bytes: tensors on an accelerator since the process began, or on a processor all memory of the process."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    unit = 1 if sys.platform == "darwin" else 1024  # what getrusage counts in
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
