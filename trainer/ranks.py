"""Processes that train together: torchrun's ranks, and those that pre-training starts.

A rank that simply ends tears down connections another may still read from, and gloo answers that by aborting the
other: a training that had succeeded then fails at its very end. A rank whose parent was killed trains on unnoticed, into
the folder of the run that takes its place.
"""

from __future__ import annotations

import os
import threading
from multiprocessing import connection, parent_process

from torch import distributed


def meet() -> None:
    """Wait for every rank. Nothing happens in a process that trains alone."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.barrier()


def leave_together() -> None:
    """Wait for every rank and close the process group; for a process of several ranks that is about to end."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return
    meet()
    # of a barrier one rank may come out while another is still in it: the store tells when all are through
    store = distributed.distributed_c10d._get_default_store()  # pyright: ignore[reportPrivateUsage]  # there is no public way
    store.set(f"restep/through/{distributed.get_rank()}", "")
    store.wait([f"restep/through/{rank}" for rank in range(distributed.get_world_size())])
    distributed.destroy_process_group()


def end_with_parent() -> None:
    """End this process as soon as the one that started it has ended, however it did.

    For a process that :mod:`multiprocessing` started; in any other nothing happens.
    """
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()


def _end_after(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)
