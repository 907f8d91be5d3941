"""Which requests are answered in the server's own thread: those that take less than the way into another and back."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator

from .services import Service

_LONG_S = 0.05  # for everybody else to wait
_PAUSE = 20  # times as long as it took: all of them together wait a twentieth of the time at most


class Brief:
    """
    The operations that services mark as brief, as long as they are.

    One that took long, on a disk that is busy say, goes into other threads for a while.

    :param now: monotonic seconds.
    """

    def __init__(self, services: Iterable[Service], *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._writes = dict(_marked(services))  # name → whether it writes
        self._back_at: dict[str, float] = {}

    def has(self, operation: str, *, can_write: bool) -> bool:
        """
        Return whether an operation is brief at the moment.

        :param can_write: nobody is in the way of who writes.
        """
        writes = self._writes.get(operation)
        if writes is None or (writes and not can_write):
            return False
        return self._now() >= self._back_at.get(operation, 0.0)

    @contextlib.contextmanager
    def timed(self, operation: str) -> Iterator[None]:
        """Notice it if an operation takes long this time."""
        began = self._now()
        try:
            yield
        finally:
            took_s = self._now() - began
            if took_s > _LONG_S:
                self._back_at[operation] = began + took_s * (1 + _PAUSE)


def _marked(services: Iterable[Service]) -> Iterator[tuple[str, bool]]:
    for service in services:
        for method in dir(type(service)):
            writes = getattr(getattr(type(service), method), "is_brief_write", None)
            if writes is not None:
                yield f"{service.name}.{method}", writes
