"""Who holds a lease: a name for a process, by which others on its machine see at once that it has died.

A process is known by its machine, its number there and when it started, so that neither a number that is used again
nor a container with numbers of its own is taken for another. Of a process elsewhere nothing is known but its lease.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from uuid import uuid4

import psutil


def new_owner() -> str:
    """A name for one piece of work of this process; no two are equal."""
    return "|".join([_place(), str(os.getpid()), _started(os.getpid()) or "", uuid4().hex[:12]])


def has_died(owner: str) -> bool:
    """Whether an owner is certain to have died: it ran where this process runs, and does not any more."""
    place, number, started, _ = [*owner.split("|"), "", "", "", ""][:4]
    if place != _place() or not number.isdecimal() or not started:
        return False
    if not psutil.pid_exists(int(number)):
        return True
    return (_started(int(number)) or started) != started


def _place() -> str:
    """This boot of this machine, and among its containers this one."""
    return f"{socket.gethostname()}/{_boot()}/{_namespace()}"


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _started(number: int) -> str | None:
    """When a process started, in the kernel's own count, which no clock can change; None where that cannot be known.

    One that has ended and only waits for its parent's notice has another start than any that runs.
    """
    try:
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return "ended" if fields[0] in "ZX" else fields[19]
