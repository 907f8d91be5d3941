"""What is shown, or told, while files are on their way."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Any

Told = Callable[[int, "int | None", str], Any]  # bytes done, bytes in all or None, name

_SHOWN_AFTER_S = 1.0  # what is done sooner needs no bar


class Progress:
    """
    The progress of one command, of any number of files.

    :param wanted: None: a bar where somebody can see it; False: nothing; True: a bar; else called with bytes done,
        bytes in all (None: not known) and name of a file.
    :param title: what the bar says at its left.
    """

    def __init__(self, wanted: bool | Told | None, *, title: str) -> None:
        self._told: Told | None = wanted if callable(wanted) else None
        self._lock = threading.Lock()
        self._seen: dict[str, int] = {}
        is_shown = wanted is True or (wanted is None and _is_watched())
        self._bar = _bar(title) if is_shown else None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: Any) -> None:
        if self._bar is not None:
            self._bar.close()

    def expect(self, size_bytes: int | None) -> None:
        """Add a file's size to what is to come."""
        if self._bar is not None and size_bytes:
            with self._lock:
                self._bar.total = (self._bar.total or 0) + size_bytes

    def of(self, name: str) -> Callable[[int, int | None], None]:
        """Return what a transfer calls with the bytes done and the size of the file of that name."""

        def report(done: int, total: int | None) -> None:
            with self._lock:
                if self._told is not None:
                    self._told(done, total, name)
                if self._bar is not None:
                    self._bar.update(done - self._seen.get(name, 0))
                    self._seen[name] = done

        return report


def _bar(title: str) -> Any:
    from tqdm.auto import tqdm

    return tqdm(desc=title, unit="B", unit_scale=True, unit_divisor=1024, delay=_SHOWN_AFTER_S, leave=False)


def _is_watched() -> bool:
    if "ipykernel" in sys.modules:  # a notebook shows it in its own way
        return True
    try:
        return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    except (AttributeError, ValueError):  # no stderr at all, or a closed one
        return False
