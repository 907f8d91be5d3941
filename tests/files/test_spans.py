"""Which bytes are there, and which are missing."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from agavepy.files.spans import Spans

SPAN = st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda pair: (min(pair), max(pair)))


@given(st.lists(SPAN, max_size=12), st.integers(0, 70))
def test_spans_are_a_set_of_positions(spans: list[tuple[int, int]], size: int) -> None:
    known = Spans(spans)
    positions = {position for start, end in spans for position in range(start, end)}
    assert {position for start, end in known for position in range(start, end)} == positions
    assert known.size == len(positions)
    missing = {position for start, end in known.missing(size) for position in range(start, end)}
    assert missing == set(range(size)) - positions


@given(st.lists(SPAN, max_size=12))
def test_they_are_as_few_as_can_be_and_in_order(spans: list[tuple[int, int]]) -> None:
    known = list(Spans(spans))
    assert known == sorted(known)
    assert all(one[1] < other[0] for one, other in itertools.pairwise(known))
