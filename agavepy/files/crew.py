"""Several hands for many pieces of work: bounded, stopped together, and nobody is waited for who hangs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

_GRACE_S = 2.0  # for who is reading from a connection when everybody stops


class Stopped(Exception):
    """Somebody else failed, or the user interrupted: this piece of work is left as it is."""


def run(work: Iterable[T], do: Callable[[T], object], *, hands: int, stop: threading.Event) -> None:
    """
    Do every piece of work, several at a time, each taken only when somebody has a hand free.

    The first failure stops all and is raised; so does an interruption by the user.

    :param stop: set to stop the others; :func:`do` looks at it now and then.
    """
    pieces = _Shared(iter(work))
    failures: list[BaseException] = []

    def hand() -> None:
        try:
            for piece in pieces:
                if stop.is_set():
                    return
                do(piece)
        except Stopped:
            return
        except BaseException as error:  # whatever it is, the caller has to know of it
            failures.append(error)
            stop.set()

    threads = [threading.Thread(target=hand, name=f"agavepy-transfer-{n}", daemon=True) for n in range(hands)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException:
        stop.set()
        for thread in threads:
            if thread.ident is not None:
                thread.join(_GRACE_S)
        raise
    if failures:
        raise failures[0]


class _Shared(Iterator[T]):
    """An iterator that several threads may take from."""

    def __init__(self, items: Iterator[T]) -> None:
        self._items, self._lock = items, threading.Lock()

    def __next__(self) -> T:
        with self._lock:
            return next(self._items)
