"""Starts vLLM's OpenAI server in vLLM's own interpreter, and ends it with whoever started it.

Run as a script by an interpreter that has none of our packages, so it imports the standard library alone. Standard
input is a pipe from the supervisor: its end means that the supervisor is gone, however it went, and then neither the
server nor its engine processes, which would keep their memory, may stay.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading


def leave_with_parent() -> None:
    """Wait for the end of standard input, then end this process group."""
    while os.read(0, 4096):
        pass
    if os.getpgrp() == os.getpid():  # ours alone: the supervisor starts a session for it
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


if __name__ == "__main__":
    sys.path.pop(0)  # this folder, whose modules must not stand before vLLM's
    threading.Thread(target=leave_with_parent, daemon=True).start()
    runpy.run_module("vllm.entrypoints.openai.api_server", run_name="__main__", alter_sys=True)
