"""A process of :mod:`test_one_renewal`: many threads of one client that call until the time is over."""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

from agavepy.agave import Agave


def main(folder: str, threads: int, duration_s: float) -> dict[str, Any]:
    """Return how many calls were made, and what those that failed said."""
    ag = Agave()
    ag.load_configs(folder)
    calls, failures = [0] * threads, []
    end = time.monotonic() + duration_s

    def call(number: int) -> None:
        while time.monotonic() < end:
            calls[number] += 1
            try:
                assert ag.profiles.get().username == ag.username
            except Exception as error:
                failures.append(f"{type(error).__name__}: {error}")

    running = [threading.Thread(target=call, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return {"calls": sum(calls), "failures": failures}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))))
