"""Processes that train together: torchrun's ranks.

A rank that simply ends tears down connections another may still read from, and gloo answers that by aborting the
other: a training that had succeeded then fails at its very end.
"""

from __future__ import annotations

from torch import distributed


def leave_together() -> None:
    """Wait for every rank and close the process group; for a process of several ranks that is about to end.

    Nothing happens in a process that trains alone.
    """
    if distributed.is_available() and distributed.is_initialized():
        distributed.barrier()
        distributed.destroy_process_group()
