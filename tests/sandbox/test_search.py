"""Search terms, order, page and projection of listings."""

from __future__ import annotations

from typing import Any

import pytest

from agavepy.sandbox.api import BadRequest, Listing
from agavepy.sandbox.dates import date
from agavepy.sandbox.search import projected, select

NOW = 1_700_000_000.0
DOCUMENTS: list[dict[str, Any]] = [
    {
        "id": "b-2",
        "nodes": 2,
        "load": 1.5,
        "public": True,
        "created": "2023-11-14T22:13:20.500+00:00",
        "storage": {"host": "Data.example.org"},
        "inputs": [{"id": "one"}, {"id": "two"}],
    },
    {
        "id": "a-1",
        "nodes": 10,
        "load": 0.5,
        "public": False,
        "created": "2023-11-13T12:00:00.000-05:00",
        "storage": {"host": None},
        "inputs": [],
    },
]
FIELDS = {
    "id": "id",
    "nodecount": "nodes",
    "load": "load",
    "public": "public",
    "created": "created",
    "storage.host": "storage.host",
    "inputs.id": "inputs.id",
}


def ids(query: dict[str, str], **more: Any) -> list[str]:
    listing = Listing(DOCUMENTS, summary=lambda each: {"id": each["id"]}, search=FIELDS)
    return [each["id"] for each in select(listing, query, now=NOW, **more)]


@pytest.mark.parametrize(
    ("term", "value", "expected"),
    [
        ("id", "a-1", ["a-1"]),
        ("ID.EQ", "a-1", ["a-1"]),
        ("id.neq", "a-1", ["b-2"]),
        ("id.in", "a-1, x", ["a-1"]),
        ("id.nin", "a-1,x", ["b-2"]),
        ("id.like", "*-1", ["a-1"]),
        ("id.like", "-1", []),
        ("id.like", "B*", ["b-2"]),
        ("id.like", "?-1", []),
        ("id.nlike", "*-1", ["b-2"]),
        ("id.rlike", "^[ab]-1$", ["a-1"]),
        ("id.gt", "a-1", ["b-2"]),
        ("nodeCount", "10", ["a-1"]),
        ("nodecount.lt", "10", ["b-2"]),
        ("nodecount.lte", "10", ["b-2", "a-1"]),
        ("nodecount.gte", "10", ["a-1"]),
        ("nodecount.between", "1,5", ["b-2"]),
        ("nodecount.in", "2,3", ["b-2"]),
        ("load.gt", "1", ["b-2"]),
        ("public", "true", ["b-2"]),
        ("public", "1", ["b-2"]),
        ("public.neq", "True", ["a-1"]),
        ("storage.host", "null", ["a-1"]),
        ("storage.host.neq", "null", ["b-2"]),
        ("storage.host.like", "data*", ["b-2"]),
        ("inputs.id", "two", ["b-2"]),
        ("inputs.id.neq", "two", ["a-1"]),
        ("created.on", "2023-11-14T22:13:20Z", ["b-2"]),
        ("created", "1700000000123", ["b-2"]),
        ("created.before", "2023-11-14T00:00:00+00:00", ["a-1"]),
        ("created.after", "2023-11-14T00:00:00 00:00", ["b-2"]),
        ("created.gt", "1 day ago", ["b-2"]),
        ("created.between", "2023-11-01,now", ["b-2", "a-1"]),
        ("nosuch", "x", ["b-2", "a-1"]),
        ("id.nosuch", "x", ["b-2", "a-1"]),
    ],
)
def test_a_term_selects(term: str, value: str, expected: list[str]) -> None:
    assert ids({term: value}) == expected


def test_terms_are_joined_with_and() -> None:
    assert ids({"id.like": "*", "nodecount.gt": "5"}) == ["a-1"]


def test_what_the_service_has_dealt_with_is_no_term() -> None:
    assert ids({"public": "nonsense"}, declared=["public"]) == ["b-2", "a-1"]


@pytest.mark.parametrize(
    ("term", "value", "message"),
    [
        ("nodecount", "many", "Illegal integer value for nodecount"),
        ("load.lt", "x", "Illegal decimal value for load"),
        ("created.gt", "soon", "Illegal date value for created"),
        ("created.gt", "2023-99-99", "Illegal date value for created"),
        ("public.gt", "true", "eq and neq"),
        ("nodecount.between", "1", "two values"),
        ("id.rlike", "(", "does not parse"),
        ("id.rlike", "(a*)*(", "does not parse"),
        ("id.rlike", "a" * 1001, "1000 are allowed"),
    ],
)
def test_a_value_that_does_not_suit_is_refused(term: str, value: str, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        ids({term: value})


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["b-2", "a-1"]),
        ({"order": "asc"}, ["a-1", "b-2"]),
        ({"order": "descending"}, ["b-2", "a-1"]),
        ({"orderBy": "id"}, ["a-1", "b-2"]),
        ({"orderBy": "nodeCount", "order": "DESC"}, ["a-1", "b-2"]),
        ({"orderby": "storage.host"}, ["a-1", "b-2"]),
        ({"orderBy": "nosuch"}, ["b-2", "a-1"]),
    ],
)
def test_order(query: dict[str, str], expected: list[str]) -> None:
    assert ids(query) == expected


@pytest.mark.parametrize(
    ("query", "first", "count"),
    [
        ({}, 0, 100),
        ({"limit": "1000000"}, 0, 250),
        ({"limit": "-3", "offset": "-2"}, 2, 3),
        ({"limit": "0"}, 0, 0),
        ({"offset": "299"}, 299, 1),
        ({"offset": "300"}, None, 0),
        ({"limit": "", "offset": ""}, 0, 100),
    ],
)
def test_a_page_has_a_hundred_elements_unless_asked_otherwise(
    query: dict[str, str], first: int | None, count: int
) -> None:
    listing = Listing(({"n": n} for n in range(300)), summary=lambda each: each)
    page = select(listing, query, now=NOW)
    assert len(page) == count
    assert [each["n"] for each in page[:1]] == ([first] if count else [])


def test_filter_makes_elements_whole() -> None:
    listing = Listing(DOCUMENTS, summary=lambda each: {"id": each["id"]}, full=lambda each: each)
    assert select(listing, {"filter": "nodes"}, now=NOW)[0]["nodes"] == 2
    assert select(listing, {"filter": "*"}, now=NOW) == [{"id": "b-2"}, {"id": "a-1"}]


def test_projection_keeps_the_fields_asked_for_in_that_order() -> None:
    document = {"a": 1, "b": {"c": 2, "d": 3, "e": 4}, "f": [5]}
    assert projected(document, {"filter": "f, b.e,b.c,nosuch,b.nosuch"}) == {"f": [5], "b": {"e": 4, "c": 2}}
    assert projected([document], {"filter": "a"}) == [{"a": 1}]
    assert projected("text", {"filter": "a"}) == "text"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("now", NOW),
        ("2 weeks ago", NOW - 1_209_600),
        ("an hour ago", NOW - 3600),
        ("1700000000000", NOW),
        ("2023-11-14T22:13:20Z", NOW),
        ("2023-11-14T17:13:20.000-0500", NOW),
        ("2023-11-14T17:13:20-05:00", NOW),
    ],
)
def test_dates_are_understood(text: str, seconds: float) -> None:
    assert date(text, "created", now=NOW) == seconds


def test_days_begin_at_midnight_here() -> None:
    today = date("today", "created", now=NOW)
    assert 0 <= NOW - today < 86400
    assert date("yesterday", "created", now=NOW) == today - 86400
    assert date("tomorrow", "created", now=NOW) == today + 86400
