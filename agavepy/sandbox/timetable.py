"""What is to be done at certain times of the tenant's clock, and the threads that do it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from .clock import Clock

_LOG = logging.getLogger("agavepy.sandbox")
_LONGEST_PAUSE_S = 60.0  # the machine's clock may be set
_SHORTEST_PAUSE_S = 0.01
_AFTER_A_FAILURE_S = 60.0


class Timetable:
    """
    Carries out keys when they are due; one key is never carried out by two threads at once.

    :param carry_out: does what a key stands for and returns when that is due again (seconds since the epoch), None:
        not unless it is put again. A key that is no longer of any concern is its to pass over.
    """

    def __init__(self, clock: Clock, carry_out: Callable[[str], float | None], *, name: str, workers: int) -> None:
        self._clock = clock
        self._carry_out = carry_out
        self._due: dict[str, float] = {}
        self._running: set[str] = set()
        self._stopping = False
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True) for number in range(workers)
        ]
        self._deafen: Callable[[], None] = lambda: None

    def start(self, due: Mapping[str, float]) -> None:
        """Start the threads; ``due``: key → time of what an earlier tenant on this root has left to do."""
        self._due.update(due)
        self._deafen = self._clock.listen(self._look_again)
        for thread in self._threads:
            thread.start()

    def put(self, key: str, due: float) -> None:
        """Have a key carried out at a time; when it is due earlier already, that stays."""
        with self._changed:
            self._put(key, due)
            self._changed.notify_all()

    def wait_idle(self, timeout_s: float) -> None:
        """Return when nothing runs and nothing is due yet; :raises TimeoutError: not in time."""
        with self._changed:
            if not self._changed.wait_for(self._is_idle, timeout_s):
                left = ", ".join(sorted({*self._running, *self._due}))
                raise TimeoutError(f"After {timeout_s} s this is not done: {left}")

    def close(self) -> None:
        """Wait for the threads; what has not begun stays undone."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._deafen()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def _put(self, key: str, due: float) -> None:
        self._due[key] = min(due, self._due.get(key, due))

    def _look_again(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _is_idle(self) -> bool:
        return self._stopping or (not self._running and self._ready() is None)

    def _ready(self) -> str | None:
        """Return the key that is due for longest and does not run."""
        free = [key for key in self._due if key not in self._running]
        first = min(free, key=self._due.__getitem__, default=None)
        return first if first is not None and self._due[first] <= self._clock.now() else None

    # In the threads

    def _work(self) -> None:
        while (key := self._next()) is not None:
            again = self._carried_out(key)
            with self._changed:
                self._running.discard(key)
                if again is not None:
                    self._put(key, again)
                self._changed.notify_all()

    def _next(self) -> str | None:
        """Return a key that is due, waiting for one; None when the tenant stops."""
        with self._changed:
            while not self._stopping:
                key = self._ready()
                if key is not None:
                    del self._due[key]
                    self._running.add(key)
                    return key
                self._changed.wait(self._pause_s())
        return None

    def _pause_s(self) -> float:
        waiting = [due for key, due in self._due.items() if key not in self._running]
        until_due = min(waiting, default=float("inf")) - self._clock.now()
        return min(max(until_due, _SHORTEST_PAUSE_S), _LONGEST_PAUSE_S)

    def _carried_out(self, key: str) -> float | None:
        try:
            return self._carry_out(key)
        except Exception:
            _LOG.exception("%s could not be carried out; it is tried again", key)
            return self._clock.now() + _AFTER_A_FAILURE_S
