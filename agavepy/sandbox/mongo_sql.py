"""MongoDB's queries as SQL: every document is laid out in leaves, and a query asks for those.

A leaf is a path through a document, with the type and the value found there. What is in an array stands at the path
of the array, as MongoDB sees it, so that equality, order and existence are look-ups in one table.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from typing import Any

from .mongo import All, Compares, Equals, Exists, Field, Not, Pattern, Query, type_of

LARGEST = 2**63  # beyond, SQLite's integers are floats

Leaf = tuple[str, str, Any]  # path, type, value
Texts = Callable[[Pattern, str], list[str]]  # from a pattern and a path to the texts there that fit


@dataclasses.dataclass(frozen=True)
class Condition:
    """SQL that holds for the item ``d`` of every document that fits; ``exact``: for no other."""

    sql: str
    values: tuple[Any, ...] = ()
    exact: bool = True
    lookup: str = ""  # of a plain look-up: the select of the items' numbers


EVERYTHING = Condition("1", exact=False)


def leaves(document: dict[str, Any]) -> set[Leaf]:
    """Return the leaves of a document."""
    return set(_leaves(document, ""))


def _leaves(value: Any, path: str) -> Iterator[Leaf]:
    if path:
        kind = type_of(value)
        yield path, kind, _number(value) if kind == "number" else value if kind in ("text", "truth") else ""
    if isinstance(value, dict):
        for key, below in value.items():
            if key and "." not in key:  # no query reaches the others
                yield from _leaves(below, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for each in value:
            if not isinstance(each, list):  # MongoDB looks into one level of array only
                yield from _leaves(each, path)


def _number(value: float) -> float:
    return value if -LARGEST <= value < LARGEST else float(value)


def condition(query: Query, kind: str, texts: Texts) -> Condition:
    """Return the condition for a query on items of a kind; EVERYTHING where SQL cannot tell."""
    if isinstance(query, Field):
        return _field(query, kind, texts)
    if isinstance(query, Not):
        inner = condition(query.query, kind, texts)
        return dataclasses.replace(inner, sql=f"NOT ({inner.sql})", lookup="") if inner.exact else EVERYTHING
    inner_ones = [condition(each, kind, texts) for each in query.queries]
    if len(inner_ones) == 1:
        return inner_ones[0]
    return _joined(inner_ones, "AND", "1") if isinstance(query, All) else _joined(inner_ones, "OR", "0")


def _joined(several: list[Condition], word: str, of_none: str) -> Condition:
    sql = f" {word} ".join(f"({each.sql})" for each in several) or of_none
    values = tuple(value for each in several for value in each.values)
    return Condition(sql, values, exact=all(each.exact for each in several))


def conjuncts(query: Query) -> tuple[Query, ...]:
    """Return the queries that must all fit."""
    if not isinstance(query, All):
        return (query,)
    return tuple(one for each in query.queries for one in conjuncts(each))


def _field(field: Field, kind: str, texts: Texts) -> Condition:
    steps = field.path.split(".")
    if not field.path or any(not step or step.isdigit() for step in steps):
        return EVERYTHING  # a position in an array; leaves do not know it
    if isinstance(field.test, Exists):
        return _lookup(kind, field.path, "1")
    if isinstance(field.test, Compares):
        return _order(kind, field.path, field.test)
    if isinstance(field.test, Equals):
        return _equality(kind, field.path, field.test, texts)
    # The others are about arrays, whose leaf says no more.
    return dataclasses.replace(_lookup(kind, field.path, "type='array'"), exact=False)


def _lookup(kind: str, path: str, where: str, *values: Any) -> Condition:
    select = f"SELECT number FROM leaves WHERE kind=? AND path=? AND {where}"  # noqa: S608 - ours, word by word
    return Condition(f"+d.number IN ({select})", (kind, path, *values), lookup=select)


def _order(kind: str, path: str, test: Compares) -> Condition:
    type_name = type_of(test.value)
    if type_name in ("null", "array", "object"):
        return Condition("0")
    if type_name == "number" and not -LARGEST <= test.value < LARGEST:
        return EVERYTHING
    return _lookup(kind, path, f"type=? AND value{test.sign}?", type_name, test.value)


def _equality(kind: str, path: str, test: Equals, texts: Texts) -> Condition:
    wanted: dict[str, list[Any]] = {"text": [], "number": [], "truth": []}
    several = []
    for value in test.values:
        type_name = type_of(value)
        if isinstance(value, Pattern):
            wanted["text"] += texts(value, path)
        elif type_name == "null":
            several.append(_absence(kind, path))
        elif type_name in ("array", "object") or (type_name == "number" and not -LARGEST <= value < LARGEST):
            return EVERYTHING
        else:
            wanted[type_name].append(value)
    several += [_among(kind, path, type_name, values) for type_name, values in wanted.items() if values]
    return several[0] if len(several) == 1 else _joined(several, "OR", "0")


def _absence(kind: str, path: str) -> Condition:
    """Return the condition that a value is null or absent; through an array one may be absent and another there."""
    there = _lookup(kind, path, "1")
    nowhere = Condition(f"NOT ({there.sql})", there.values)
    steps = path.split(".")
    above = [".".join(steps[:length]) for length in range(1, len(steps))]
    several = [nowhere, _lookup(kind, path, "type='null'"), *(_lookup(kind, each, "type='array'") for each in above)]
    return dataclasses.replace(_joined(several, "OR", "0"), exact=not above)


def _among(kind: str, path: str, type_name: str, values: list[Any]) -> Condition:
    if len(values) == 1:
        return _lookup(kind, path, "type=? AND value=?", type_name, values[0])
    return _lookup(kind, path, "type=? AND value IN (SELECT value FROM json_each(?))", type_name, json.dumps(values))
