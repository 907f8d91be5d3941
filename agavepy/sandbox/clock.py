"""The tenant's time: seconds since the epoch, and how Agave writes them."""

from __future__ import annotations

import datetime
import threading
import time


class Clock:
    """The machine's clock, unless it was moved."""

    _ahead_s = 0.0

    def now(self) -> float:
        """Return seconds since the epoch."""
        return time.time() + self._ahead_s

    def advance(self, seconds: float) -> None:
        """Jump ahead by ``seconds``; negative jumps back."""
        self._ahead_s += seconds


class ManualClock(Clock):
    """A clock that moves only when it is told to, for tests."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._now = start
        self._lock = threading.Lock()

    def now(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        """Move on by ``seconds``; negative goes back."""
        with self._lock:
            self._now += seconds


def utc(seconds: float) -> str:
    """Return ISO 8601 with milliseconds in UTC: ``2018-07-10T17:28:01.000Z``."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso(seconds: float) -> str:
    """Return ISO 8601 with milliseconds and the machine's offset: ``2018-07-10T12:28:01.000-05:00``."""
    return datetime.datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="milliseconds")
