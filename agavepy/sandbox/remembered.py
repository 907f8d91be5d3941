"""What is worked out from documents again and again, kept until one of them changes."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from .store import Store

_MOST = 10_000  # answers kept; when there are more, all are forgotten

_K = TypeVar("_K", bound=Hashable)
_T = TypeVar("_T")


class Remembered(Generic[_K, _T]):
    """
    Answers of ``work_out``, each as fresh as the store: a write to ``kinds`` makes all be worked out again.

    :param work_out: from a key to the answer, by documents (or grants) of ``kinds`` alone; None, for an unknown
        key, is not kept. All who ask share an answer, and leave it as it is.
    """

    def __init__(self, store: Store, kinds: tuple[str, ...], work_out: Callable[[_K], _T | None]) -> None:
        self._store = store
        self._kinds = kinds
        self._work_out = work_out
        self._kept: dict[_K, tuple[tuple[int, ...], _T]] = {}

    def get(self, key: _K) -> _T | None:
        """Return the answer for a key."""
        if self._store.in_transaction:
            return self._work_out(key)  # it may see what it wrote itself, and others must not
        writes = self._store.writes(self._kinds)  # counted first: a write meanwhile leaves behind what nobody takes
        kept = self._kept.get(key)
        if kept is not None and kept[0] == writes:
            return kept[1]
        answer = self._work_out(key)
        if answer is not None:
            self._keep(key, (writes, answer))
        return answer

    def _keep(self, key: _K, answer: tuple[tuple[int, ...], _T]) -> None:
        if len(self._kept) >= _MOST:
            self._kept.clear()
        self._kept[key] = answer
