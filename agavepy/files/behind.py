"""Work that is done in order by a thread of its own, while the caller goes on reading from the network."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

_WAITING = 8  # pieces of work; whoever has more is held up, so that memory stays flat


class Behind:
    """
    Does one thing after the other behind the caller's back; what failed is raised by the next call.

    The end of the block waits for all of it. After a failure nothing more is done.
    """

    def __init__(self) -> None:
        # Both of C: an interruption by the user in the middle of a Queue of Python's can leave it locked for ever.
        self._work: queue.SimpleQueue[tuple[Callable[..., Any], tuple[Any, ...]] | None] = queue.SimpleQueue()
        self._room: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(_WAITING):
            self._room.put(None)
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="agavepy-behind", daemon=True)

    def __enter__(self) -> Behind:
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._work.put(None)
        self._thread.join()
        if kind is None:
            self._raise_failure()

    def do(self, act: Callable[..., Any], *arguments: Any) -> None:
        """Have something done once everything before it is."""
        self._raise_failure()
        self._room.get()
        self._work.put((act, arguments))

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        while work := self._work.get():
            act, arguments = work
            if self._failure is None:
                try:
                    act(*arguments)
                except BaseException as error:  # whatever it is, the caller has to know of it
                    self._failure = error
            self._room.put(None)
