"""What a tenant's process gives back."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from agavepy.sandbox import memory


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="this C library does so by itself")
def test_memory_that_was_freed_goes_back_to_the_machine() -> None:
    before_mb = resident_mb()
    pieces = [b"x" * 100_000 for _ in range(600)]
    last = b"x" * 100_000  # behind which nothing can be given back without being asked
    pieces.clear()
    memory.give_back()
    assert resident_mb() < before_mb + 20
    assert last


def resident_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1000
