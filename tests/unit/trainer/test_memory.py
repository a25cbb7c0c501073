"""The most memory a process has held only ever grows."""

from __future__ import annotations

import torch

from trainer.memory import GIB, peak_memory


def test_what_was_held_is_seen_and_stays() -> None:
    before = peak_memory(torch.device("cpu"))
    block = torch.ones(GIB // 8, dtype=torch.float32)  # half a GiB
    held = peak_memory(torch.device("cpu"))
    assert held >= block.nbytes
    del block
    assert peak_memory(torch.device("cpu")) >= held >= before
