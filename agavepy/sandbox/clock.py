"""The tenant's time: seconds since the epoch, and how Agave writes them."""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Callable


class Clock:
    """The machine's clock, unless it was moved."""

    _ahead_s = 0.0

    def now(self) -> float:
        """Return seconds since the epoch."""
        return time.time() + self._ahead_s

    def advance(self, seconds: float) -> None:
        """Jump ahead by ``seconds``; negative jumps back."""
        self._ahead_s += seconds

    def listen(self, heard: Callable[[], None]) -> Callable[[], None]:
        """Have ``heard`` called whenever the time is moved by hand; return what ends that."""
        return lambda: None  # this clock moves by itself


class ManualClock(Clock):
    """A clock that moves only when it is told to, for tests."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._now = start
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []

    def now(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        """Move on by ``seconds``; negative goes back."""
        with self._lock:
            self._now += seconds
            listeners = list(self._listeners)
        for heard in listeners:
            heard()

    def listen(self, heard: Callable[[], None]) -> Callable[[], None]:
        with self._lock:
            self._listeners.append(heard)
        return lambda: self._forget(heard)

    def _forget(self, heard: Callable[[], None]) -> None:
        with self._lock:
            self._listeners.remove(heard)


def utc(seconds: float) -> str:
    """Return ISO 8601 with milliseconds in UTC: ``2018-07-10T17:28:01.000Z``."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso(seconds: float) -> str:
    """Return ISO 8601 with milliseconds and the machine's offset: ``2018-07-10T12:28:01.000-05:00``."""
    return datetime.datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="milliseconds")
