"""Which requests are answered in the server's own thread: those that take less than the way into another and back."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator

from .services import Service
from .store import Store

_LONG_S = 0.05  # for everybody else to wait
_PAUSE = 20  # times as long as it took: all of them together wait a twentieth of the time at most
_DEEPEST = 32  # slashes of an address: whose rights reach down to the end of a longer one takes its time to find out


class Brief:
    """
    The operations that services mark as brief, as long as they are.

    One that took long, on a disk that is busy say, goes into other threads for a while.

    :param now: monotonic seconds.
    """

    def __init__(self, services: Iterable[Service], store: Store, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._store = store
        self._writes = dict(_marked(services))  # name → whether it writes
        self._back_at: dict[str, float] = {}

    def has(self, operation: str, path: str) -> bool:
        """Return whether an operation on an address is brief at the moment, if nobody is in its way."""
        is_brief = operation in self._writes and path.count("/") <= _DEEPEST
        return is_brief and self._now() >= self._back_at.get(operation, 0.0)

    @contextlib.contextmanager
    def turn(self, operation: str) -> Iterator[bool]:
        """Give whether the operation can begin now and wait for no other writer; notice it if it takes long."""
        began = self._now()
        with self._store.turn() if self._writes[operation] else contextlib.nullcontext(True) as is_free:
            try:
                yield is_free
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
