"""Which bytes of a file are there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

Span = tuple[int, int]  # half open


class Spans:
    """A set of byte positions, kept as few spans in order."""

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self._spans: list[Span] = []
        for start, end in spans:
            self.add(start, end)

    def __iter__(self) -> Iterator[Span]:
        return iter(self._spans)

    @property
    def size(self) -> int:
        """Return how many bytes they are."""
        return sum(end - start for start, end in self._spans)

    def add(self, start: int, end: int) -> None:
        """Add a span; those it touches become one with it."""
        if start >= end:
            return
        apart = [each for each in self._spans if each[1] < start or each[0] > end]
        touched = [each for each in self._spans if not (each[1] < start or each[0] > end)]
        whole = (min([start, *(each[0] for each in touched)]), max([end, *(each[1] for each in touched)]))
        self._spans = sorted([*apart, whole])

    def missing(self, size: int) -> Iterator[Span]:
        """Yield what is not there of a file of so many bytes."""
        position = 0
        for start, end in self._spans:
            if position < min(start, size):
                yield position, min(start, size)
            position = max(position, end)
        if position < size:
            yield position, size
