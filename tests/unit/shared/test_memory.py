from __future__ import annotations

import platform

import psutil
import pytest

from shared.memory import give_back


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives memory back when asked")
def test_memory_in_pieces_goes_back_to_the_system() -> None:
    process = psutil.Process()
    held = [bytes(100_000) for _ in range(1000)]
    last = held[-1]
    full = process.memory_info().rss
    del held
    give_back()
    assert process.memory_info().rss < full - 50_000_000
    assert not any(last)
