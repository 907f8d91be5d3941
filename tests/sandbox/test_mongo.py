"""Mongo queries: how they are read, what they find, and that SQL finds the same as Python."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agavepy.sandbox import mongo, mongo_text
from agavepy.sandbox.api import BadRequest
from agavepy.sandbox.items import Items, Wanted, _patterns, _texts
from agavepy.sandbox.store import Store

PLANT = {
    "name": "mustard plant",
    "schemaId": None,
    "created": 1_700_000_000.0,
    "value": {
        "type": "a plant",
        "height": 12.5,
        "alive": True,
        "tags": ["yellow", "small", 3],
        "profile": {"status": "active", "0": "zero"},
        "samples": [{"day": 1, "mass": 4}, {"day": 2, "mass": 9}, {"day": 3}],
        "grid": [[1, 2], [3]],
        "none": None,
        "empty": [],
    },
}


@pytest.fixture
def items(tmp_path: Path) -> Iterator[Items]:
    store = Store(tmp_path / "items.sqlite")
    yield Items(store, "metadata")
    store.close()


def by_python(query: mongo.Query, document: Any) -> bool:
    return mongo.fits(query, document, mongo.tested(list(_patterns(query)), _texts(document)))


def keep(items: Items, document: dict[str, Any], *, number: int = 0) -> dict[str, Any]:
    item = {"created": 1.0, **document, "uuid": f"{number}-012", "owner": "sandbox", "lastUpdated": float(number)}
    items.put(item)
    return item


def by_sql(items: Items, query: mongo.Query) -> list[dict[str, Any]]:
    return items.page(Wanted(query, "sandbox", limit=100, offset=0))


FITTING = [
    "",
    "{}",
    '{"name": "mustard plant"}',
    "{'name': 'mustard plant', }",
    "{name: 'mustard plant'}",
    "{value.type: 'a plant'}",
    "{'name': 'MUSTARD*'}",
    "{'value.alive': True, 'value.none': None}",
    '{"value.alive": true, "value.none": null}',
    "{'value.tags': 'small'}",
    "{'value.tags': 3}",
    "{'value.tags': 3.0}",
    "{'value.tags': ['yellow', 'small', 3]}",
    "{'value.tags.1': 'small'}",
    "{'value.profile.0': 'zero'}",
    "{'value.samples.mass': 9}",
    "{'value.samples.0.mass': 4}",
    "{'value.samples.mass': None}",
    "{'value.nothing': None}",
    "{'value.height': {'$gt': 12, '$lte': 12.5}}",
    "{'value.type': {'$gte': 'a'}}",
    "{'value.samples.mass': {'$gt': 5}}",
    "{'value.type': {'$in': ['x', 'a plant']}}",
    "{'value.type': {'$in': [/PLANT$/i]}}",
    "{'value.tags': {'$nin': ['red']}}",
    "{'value.type': {'$ne': 'a stone'}}",
    "{'value.type': {'$eq': 'a plant'}}",
    "{'value.none': {'$exists': true}, 'value.nothing': {'$exists': false}}",
    "{'value.type': {'$regex': '^A PL', '$options': 'i'}}",
    "{'value.type': /pl[a]nt/}",
    "{'value.type': {'$not': {'$regex': 'stone'}}}",
    "{'value.tags': {'$size': 3}, 'value.empty': {'$size': 0}}",
    "{'value.tags': {'$all': ['small', 3]}}",
    "{'value.samples': {'$elemMatch': {'day': 2, 'mass': {'$gt': 8}}}}",
    "{'value.tags': {'$elemMatch': {'$gt': 2, '$lt': 4}}}",
    "{'value.samples': {'$elemMatch': {'$or': [{'day': 9}, {'mass': 4}]}}}",
    "{'value.samples': {'$all': [{'$elemMatch': {'day': 1}}, {'$elemMatch': {'day': 3}}]}}",
    "{'value.grid': [3]}",
    "{'value.profile': {'0': 'zero', 'status': 'active'}}",
    "{'$or': [{'name': 'x'}, {'value.height': 12.5}]}",
    "{'$and': [{'name': /^must/}, {'value.alive': {'$ne': false}}]}",
    "{'$nor': [{'name': 'x'}, {'value.height': 1}]}",
    "{'created': {'$gt': '2023-11-14T00:00:00Z', '$lt': '2023-11-15T00:00:00.000+00:00'}}",
    "{'created': {'$gte': {'$date': 1700000000000}}}",
    "{'value.type': {'$lt': 'b'}, '$comment': 'why'}",
    '{"value.type": "a \\u0070lant"}',
]
UNFITTING = [
    "{'name': 'mustard'}",
    "{'value.alive': 1}",
    "{'value.tags': '3'}",
    "{'value.grid': 3}",
    "{'value.samples.mass': {'$gt': 9}}",
    "{'value.type': {'$gt': 1}}",
    "{'value.type': None}",
    "{'value.tags': {'$ne': 'small'}}",
    "{'value.tags': {'$nin': ['small']}}",
    "{'value.tags': {'$size': 2}}",
    "{'value.type': {'$size': 7}}",
    "{'value.samples': {'$elemMatch': {'day': 1, 'mass': 9}}}",
    "{'value.tags': {'$all': ['small', 'red']}}",
    "{'value.tags': {'$all': []}}",
    "{'value.nothing': {'$exists': true}}",
    "{'value.tags.x': None}",
    "{'value.type': /PLANT/}",
    "{'value.height': {'$not': {'$gt': 1}}}",
    "{'$nor': [{'name': 'mustard plant'}]}",
    "{'value.type': {'$in': []}}",
    "{'created': {'$lt': '2023-11-14T00:00:00Z'}}",
]


@pytest.mark.parametrize(
    ("text", "fits"), [*((each, True) for each in FITTING), *((each, False) for each in UNFITTING)]
)
def test_a_query_finds_what_mongo_would_find(items: Items, text: str, fits: bool) -> None:
    query = mongo.read(text)
    item = keep(items, PLANT)
    assert by_python(query, item) is fits
    assert by_sql(items, query) == ([item] if fits else [])


@pytest.mark.parametrize(
    "text",
    [
        *(
            "{",
            "}",
            "x",
            "[1]",
            "'name'",
            "{'a'}",
            "{'a': }",
            "{'a': 1 'b': 2}",
            "{'a': 1}}",
            "{'a': 'b}",
            "{'a': 1e999}",
        ),
        *("{'a': {'$foo': 1}}", "{'$foo': 1}", "{'$or': {}}", "{'$or': []}", "{'a': {'$in': 1}}", "{'a': {'$all': 1}}"),
        *("{'a': {'$regex': '('}}", "{'a': {'$regex': 1}}", "{'a': {'$regex': 'x', '$options': 'q'}}"),
        *("{'a': {'$options': 'i'}}", "{'a': {'$size': 'x'}}", "{'a': {'$size': -1}}", "{'a': {'$elemMatch': 1}}"),
        *("{'a': {'$not': 1}}", "{'a': {'b': 1, '$gt': 1}}", "{'created': 'then'}", '{"a": "\\ud800"}'),
        *("{'a':" * 60 + "1" + "}" * 60, "{'$and': [" + "{'a': 1}," * 201 + "]}", "{'a': " + "9" * 400 + "}"),
    ],
)
def test_a_malformed_query_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match=r"^Malformed JSON Query, "):
        mongo.read(text)


def test_an_expression_that_backtracks_for_ever_is_refused(items: Items) -> None:
    keep(items, {"name": "a" * 60 + "!"})
    with pytest.raises(BadRequest, match="too costly"):
        by_sql(items, mongo.read("{'name': {'$regex': '^(a+)+$'}}"))


def test_a_replaced_item_is_found_by_its_new_contents_only(items: Items) -> None:
    keep(items, {"name": "old", "value": [1, 2]})
    item = keep(items, {"name": "new", "value": [2, 3]})
    assert by_sql(items, mongo.read("{'value': 3}")) == [item]
    assert by_sql(items, mongo.read("{'value': 1}")) == by_sql(items, mongo.read("{'name': 'old'}")) == []
    items.delete(item["uuid"])
    assert by_sql(items, mongo.read("{}")) == []


def test_numbers_beyond_64_bits_are_compared_exactly(items: Items) -> None:
    item = keep(items, {"value": 2**64 + 1})
    assert by_sql(items, mongo.read(f"{{'value': {2**64 + 1}}}")) == [item]
    assert by_sql(items, mongo.read(f"{{'value': {2**64}}}")) == []
    assert by_sql(items, mongo.read("{'value': {'$gt': 5}}")) == [item]


# Any document, any query: SQL and Python agree

SCALARS = st.sampled_from([None, True, False, 0, 1, -2, 1.5, 1e300, 2**63, "", "a", "ab", "B", "é", "a*"])
KEYS = st.sampled_from(["a", "b", "0", "1"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
PATHS = st.lists(KEYS, min_size=1, max_size=3).map(".".join)
OPERATORS = st.one_of(
    VALUES,
    st.sampled_from(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]).flatmap(
        lambda operator: VALUES.map(lambda value: {operator: value})
    ),
    st.sampled_from(["$in", "$nin", "$all"]).flatmap(
        lambda operator: st.lists(VALUES, max_size=3).map(lambda values: {operator: values})
    ),
    st.booleans().map(lambda flag: {"$exists": flag}),
    st.integers(0, 3).map(lambda size: {"$size": size}),
    st.sampled_from(["a", "^b", "B"]).map(lambda text: {"$regex": text}),
    SCALARS.map(lambda value: {"$elemMatch": {"$gte": value}}),
    SCALARS.map(lambda value: {"$not": {"$lt": value}}),
)
FIELDS = st.dictionaries(PATHS, OPERATORS, min_size=1, max_size=2)
QUERIES = st.recursive(
    FIELDS,
    lambda inner: st.sampled_from(["$and", "$or", "$nor"]).flatmap(
        lambda word: st.lists(inner, min_size=1, max_size=3).map(lambda several: {word: several})
    ),
    max_leaves=4,
)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(documents=st.lists(st.dictionaries(KEYS, VALUES, max_size=3), min_size=1, max_size=4), value=QUERIES)
def test_sql_finds_what_python_finds(items: Items, documents: list[dict[str, Any]], value: Any) -> None:
    query = mongo.from_value(value)
    with items._store.transaction():  # else each write waits for the disk
        for left in by_sql(items, mongo.All(())):
            items.delete(left["uuid"])
        kept = [keep(items, document, number=number) for number, document in enumerate(documents)]
        expected = [item for item in reversed(kept) if by_python(query, item)]
        assert by_sql(items, query) == expected


@given(VALUES)
def test_what_json_or_python_writes_is_read(value: Any) -> None:
    assert mongo.same(mongo_text.read(json.dumps(value)), value)
    assert mongo.same(mongo_text.read(repr(value)), value)
