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
        self._kept: dict[_K, _T] = {}
        store.when_written(kinds, self._forget)

    def get(self, key: _K) -> _T | None:
        """Return the answer for a key."""
        if self._store.is_writing(self._kinds):
            return self._work_out(key)  # what it wrote itself, and others must not see
        kept = self._kept  # taken first: after a write meanwhile nobody looks there any more
        answer = kept.get(key)
        if answer is None:
            answer = self._work_out(key)
            if answer is not None:
                self._keep(kept, key, answer)
        return answer

    def _keep(self, kept: dict[_K, _T], key: _K, answer: _T) -> None:
        if len(kept) >= _MOST:
            kept.clear()
        kept[key] = answer

    def _forget(self) -> None:
        self._kept = {}
