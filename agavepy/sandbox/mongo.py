"""Queries in MongoDB's language: read from text, and tried on a document.

A query is a tree of the classes below. :mod:`mongo_sql` turns it into SQL as far as that goes.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Union

from . import mongo_text, patterns
from .api import BadRequest
from .dates import from_iso
from .fields import shown

MOST_TESTS = 200  # in one query
DATES = ("created", "lastUpdated")  # kept as seconds since the epoch; queries write them in ISO 8601
MISSING: Any = type("Missing", (), {"__repr__": lambda self: "MISSING"})()

TextTest = Callable[["Pattern", str], bool]


@dataclasses.dataclass(frozen=True)
class Pattern:
    """A regular expression, with its options in it; ``wildcards``: a text in which ``*`` stands for anything."""

    text: str
    wildcards: bool = False


@dataclasses.dataclass(frozen=True)
class Equals:
    """The value, or a member of it, is one of ``values``, or fits one of them that is a Pattern."""

    values: tuple[Any, ...]


@dataclasses.dataclass(frozen=True)
class Compares:
    """The value, or a member of it, is of the type of ``value`` and lies on the side that ``sign`` says."""

    sign: str  # "<", "<=", ">", ">="
    value: Any


@dataclasses.dataclass(frozen=True)
class Exists:
    """There is a value, even null."""


@dataclasses.dataclass(frozen=True)
class Size:
    """The value is an array of so many members."""

    length: int


@dataclasses.dataclass(frozen=True)
class Member:
    """The value is an array with a member that fits: a query for documents, or a test of the member itself."""

    query: Query


@dataclasses.dataclass(frozen=True)
class Field:
    """What is at a dotted path passes a test; an empty path is the value itself."""

    path: str
    test: Equals | Compares | Exists | Size | Member


@dataclasses.dataclass(frozen=True)
class All:
    """Each of the queries fits; without any, everything does."""

    queries: tuple[Query, ...]


@dataclasses.dataclass(frozen=True)
class Either:
    """One of the queries fits."""

    queries: tuple[Query, ...]


@dataclasses.dataclass(frozen=True)
class Not:
    """The query does not fit."""

    query: Query


Query = Union[Field, All, Either, Not]  # noqa: UP007 - a name that the classes above use before it is there


# Reading


def read(text: str) -> Query:
    """
    Return the query a text spells; an empty one fits everything.

    :raises BadRequest: it spells none.
    """
    try:
        return _read_value(mongo_text.read(text)) if text.strip() else All(())
    except ValueError as problem:
        raise BadRequest(f"Malformed JSON Query, {problem}") from None


def from_value(value: Any) -> Query:
    """Return the query in a JSON value; :raises BadRequest: it is none."""
    try:
        return _read_value(value)
    except ValueError as problem:
        raise BadRequest(f"Malformed JSON Query, {problem}") from None


def _read_value(value: Any) -> Query:
    query = _document(value, top=True)
    if sum(1 for each in parts(query) if isinstance(each, Field)) > MOST_TESTS:
        raise ValueError(f"more than {MOST_TESTS} conditions")
    return query


def _document(value: Any, *, top: bool = False, at: str = "") -> Query:
    if not isinstance(value, dict):
        raise ValueError(f"a query is an object; got {shown(value)}")
    return All(tuple(_condition(key, below, top) for key, below in value.items()))


def _condition(key: str, value: Any, top: bool) -> Query:
    if key in ("$and", "$or", "$nor"):
        queries = tuple(_document(each) for each in _some(key, value))
        return All(queries) if key == "$and" else Either(queries) if key == "$or" else Not(Either(queries))
    if key == "$comment":
        return All(())
    if key.startswith("$"):
        raise ValueError(f"unknown operator {key}")
    if top and isinstance(value, str) and "*" in value:
        return Field(key, Equals((Pattern(value, wildcards=True),)))  # as the classic server reads it
    return _tests(key, value)


def _some(key: str, value: Any) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"{key} takes an array that is not empty; got {shown(value)}")
    return value


def _tests(path: str, value: Any) -> Query:
    """Return the query for what stands behind a path: operators, or a value to equal."""
    if not _has_operators(value):
        return Field(path, Equals((_operand(path, value),)))
    tests = [_test(path, operator, operand, value) for operator, operand in value.items()]
    return tests[0] if len(tests) == 1 else All(tuple(tests))


def _has_operators(value: Any) -> bool:
    return isinstance(value, dict) and any(key.startswith("$") and key != "$date" for key in value)


def _test(path: str, operator: str, operand: Any, beside: dict[str, Any]) -> Query:
    reader = _OPERATORS.get(operator)
    if reader is None:
        raise ValueError(f"unknown operator {operator}")
    return reader(path, operand, beside)


def _equal(path: str, operand: Any, beside: Any) -> Query:
    return Field(path, Equals((_operand(path, operand),)))


def _among(path: str, operand: Any, beside: Any) -> Query:
    if not isinstance(operand, list):
        raise ValueError(f"$in and $nin take an array; got {shown(operand)}")
    return Field(path, Equals(tuple(_in_list(path, each) for each in operand)))


def _in_list(path: str, value: Any) -> Any:
    if isinstance(value, dict) and "$regex" in value:
        return _pattern(value)
    return _operand(path, value)


def _comparison(sign: str) -> Callable[[str, Any, Any], Query]:
    def reader(path: str, operand: Any, beside: Any) -> Query:
        value = _operand(path, operand)
        if value is None and "=" in sign:
            return Field(path, Equals((None,)))
        return Field(path, Compares(sign, value))

    return reader


def _existence(path: str, operand: Any, beside: Any) -> Query:
    return Field(path, Exists()) if operand else Not(Field(path, Exists()))


def _size(path: str, operand: Any, beside: Any) -> Query:
    if isinstance(operand, bool) or not isinstance(operand, (int, float)) or operand < 0 or operand != int(operand):
        raise ValueError(f"$size takes a whole number; got {shown(operand)}")
    return Field(path, Size(int(operand)))


def _regular(path: str, operand: Any, beside: Any) -> Query:
    return Field(path, Equals((_pattern(beside),)))


def _pattern(value: dict[str, Any]) -> Pattern:
    expression, options = value["$regex"], value.get("$options", "")
    if isinstance(expression, dict) and "$regex" in expression:
        return _pattern(expression)
    if not isinstance(expression, str):
        raise ValueError(f"$regex takes a text; got {shown(expression)}")
    if not isinstance(options, str) or not re.fullmatch("[imsx]*", options):
        raise ValueError(f"$options takes the letters i, m, s, x; got {shown(options)}")
    pattern = f"(?{options}){expression}" if options else expression
    [problem] = _answers([patterns.Question(pattern)])
    if isinstance(problem, patterns.BadPattern):
        raise ValueError(f"the regular expression {shown(expression)} does not parse: {problem}")
    return Pattern(pattern)


def _options(path: str, operand: Any, beside: Any) -> Query:
    if "$regex" not in beside:
        raise ValueError("$options stands beside $regex")
    return All(())


def _none_of(path: str, operand: Any, beside: Any) -> Query:
    if not _has_operators(operand):
        raise ValueError(f"$not takes operators; got {shown(operand)}")
    return Not(_tests(path, operand))


def _every(path: str, operand: Any, beside: Any) -> Query:
    if not isinstance(operand, list):
        raise ValueError(f"$all takes an array; got {shown(operand)}")
    each = tuple(_tests(path, one) if _has_operators(one) else _equal(path, one, None) for one in operand)
    return All(each) if each else Either(())


def _member(path: str, operand: Any, beside: Any) -> Query:
    if not isinstance(operand, dict):
        raise ValueError(f"$elemMatch takes an object; got {shown(operand)}")
    logical = {"$and", "$or", "$nor"}
    of_itself = _has_operators(operand) and not logical & operand.keys()
    return Field(path, Member(_tests("", operand) if of_itself else _document(operand)))


_OPERATORS: dict[str, Callable[[str, Any, Any], Query]] = {
    "$eq": _equal,
    "$ne": lambda path, operand, beside: Not(_equal(path, operand, beside)),
    "$in": _among,
    "$nin": lambda path, operand, beside: Not(_among(path, operand, beside)),
    "$gt": _comparison(">"),
    "$gte": _comparison(">="),
    "$lt": _comparison("<"),
    "$lte": _comparison("<="),
    "$exists": _existence,
    "$size": _size,
    "$regex": _regular,
    "$options": _options,
    "$not": _none_of,
    "$all": _every,
    "$elemMatch": _member,
}


def _operand(path: str, value: Any) -> Any:
    """Return a value as it is compared: dates of an item as seconds since the epoch."""
    if isinstance(value, dict) and value.keys() == {"$date"}:
        value = value["$date"]
        return value / 1000 if isinstance(value, (int, float)) else _seconds(value)
    if path in DATES and isinstance(value, str):
        return _seconds(value)
    return value


def _seconds(text: Any) -> float:
    try:
        return round(from_iso(text), 3)
    except (ValueError, TypeError, OverflowError):
        raise ValueError(f"a date is written in ISO 8601; got {shown(text)}") from None


def parts(query: Query) -> Iterator[Query]:
    """Yield the query and every query in it."""
    yield query
    if isinstance(query, (All, Either)):
        for each in query.queries:
            yield from parts(each)
    elif isinstance(query, Not):
        yield from parts(query.query)
    elif isinstance(query.test, Member):
        yield from parts(query.test.query)


# Trying


def fits(query: Query, document: Any, text_test: TextTest) -> bool:
    """
    Return whether a document fits.

    :param text_test: whether a text fits a Pattern; see :func:`tested`.
    """
    if isinstance(query, All):
        return all(fits(each, document, text_test) for each in query.queries)
    if isinstance(query, Either):
        return any(fits(each, document, text_test) for each in query.queries)
    if isinstance(query, Not):
        return not fits(query.query, document, text_test)
    found = list(_at(document, query.path.split(".") if query.path else []))
    return any(_passes(query.test, value, text_test) for value in found)


def _at(value: Any, steps: list[str]) -> Iterator[Any]:
    """Yield what is at a path; through an array, of each object in it; MISSING where the path leads nowhere."""
    if not steps:
        yield value
    elif isinstance(value, dict):
        if steps[0] in value:
            yield from _at(value[steps[0]], steps[1:])
        else:
            yield MISSING
    elif isinstance(value, list):
        if re.fullmatch("[0-9]{1,9}", steps[0]) and int(steps[0]) < len(value):
            yield from _at(value[int(steps[0])], steps[1:])
        for each in value:
            if isinstance(each, dict):
                yield from _at(each, steps)
    else:
        yield MISSING


def _passes(test: Any, value: Any, text_test: TextTest) -> bool:
    if isinstance(test, Exists):
        return value is not MISSING
    if isinstance(test, Size):
        return isinstance(value, list) and len(value) == test.length
    if isinstance(test, Member):
        return isinstance(value, list) and any(fits(test.query, each, text_test) for each in value)
    candidates = [value, *value] if isinstance(value, list) else [value]
    if isinstance(test, Compares):
        return any(_lies(each, test) for each in candidates)
    return any(_equals(each, wanted, text_test) for wanted in test.values for each in candidates)


def _equals(value: Any, wanted: Any, text_test: TextTest) -> bool:
    if isinstance(wanted, Pattern):
        return isinstance(value, str) and text_test(wanted, value)
    return same(None if value is MISSING else value, wanted)


def same(one: Any, other: Any) -> bool:
    """Return whether two JSON values are equal; a truth value equals no number."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def _lies(value: Any, test: Compares) -> bool:
    if type_of(value) != type_of(test.value) or type_of(value) not in ("number", "text", "truth"):
        return False
    if test.sign.startswith(">"):
        return bool(value > test.value) or (test.sign == ">=" and bool(value == test.value))
    return bool(value < test.value) or (test.sign == "<=" and bool(value == test.value))


def type_of(value: Any) -> str:
    """Return the type by which values are compared: truth, number, text, null, array or object."""
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, (list, dict)):
        return "array" if isinstance(value, list) else "object"
    return "text" if isinstance(value, str) else "null"


# Patterns


def tested(wanted: Iterable[Pattern], texts: Iterable[str]) -> TextTest:
    """
    Return the test that knows which of the texts fit which of the patterns.

    :raises BadRequest: finding out would take too long.
    """
    known = sorted(set(texts))
    fitting = {pattern: fitting_texts(pattern, known) for pattern in set(wanted)}
    return lambda pattern, text: text in fitting[pattern]


def fitting_texts(pattern: Pattern, texts: list[str]) -> set[str]:
    """Return the texts that fit a pattern; :raises BadRequest: finding out would take too long."""
    if pattern.wildcards:
        return {text for text in texts if patterns.like(text, pattern.text)}
    [answer] = _answers([patterns.Question(pattern.text, [text[: patterns.LONGEST_TEXT] for text in texts])])
    if isinstance(answer, patterns.BadPattern):
        raise BadRequest(f"Malformed JSON Query, the regular expression {shown(pattern.text)}: {answer}")
    return {text for text, is_found in zip(texts, answer, strict=True) if is_found}


def _answers(questions: list[patterns.Question]) -> list[list[bool] | patterns.BadPattern]:
    try:
        return patterns.answers(questions)
    except patterns.TooCostly as problem:
        raise BadRequest(f"Malformed JSON Query, a regular expression is too costly: {problem}") from None
