"""Timing two things side by side."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence


def ratio(
    ours: Callable[[], object],
    theirs: Callable[[], object],
    *,
    rounds: int,
    each: int = 1,
    before: Callable[[], object] = lambda: None,
) -> float:
    """
    Return how many times as long ``ours`` takes as ``theirs``: their fastest rounds, taken in turns.

    The fastest of many rounds is what the code costs; the others add what the machine was doing meanwhile.

    :param before: done ahead of each round of each, and not timed.
    """

    def seconds(action: Callable[[], object]) -> float:
        before()
        return _seconds(action, each)

    pairs = [(seconds(ours), seconds(theirs)) for _ in range(rounds)]
    return min(pair[0] for pair in pairs) / min(pair[1] for pair in pairs)


def process(code: str, *arguments: str) -> Callable[[], object]:
    """Return what runs ``code`` in a Python of its own, to its end."""
    command: Sequence[str] = [sys.executable, "-c", code, *arguments]
    return lambda: subprocess.run(command, check=True)


def _seconds(action: Callable[[], object], each: int) -> float:
    start = time.perf_counter()
    for _ in range(each):
        action()
    return time.perf_counter() - start
