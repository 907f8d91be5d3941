"""Which elements of a listing go back: search terms, order, page and field projection."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from . import patterns
from .api import BadRequest, Listing
from .dates import date, from_iso
from .fields import shown

DEFAULT_LIMIT = 100
LARGEST_LIMIT = 250

_RESERVED = {"limit", "offset", "skip", "filter", "naked", "pretty", "order", "orderby", "force"}
_SAME = {"": "eq", "on": "eq", "before": "lt", "after": "gt"}
_OPERATORS = {*("eq", "neq", "lt", "lte", "gt", "gte", "in", "nin", "like", "nlike", "rlike", "between"), *_SAME}
_NEGATIONS = {"neq": "eq", "nin": "in", "nlike": "like"}
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
_LONGEST_SUBJECT = 255  # characters a regular expression is tried on

Compare = Callable[[Any], bool]


def select(
    listing: Listing, query: Mapping[str, str], *, now: float, declared: Iterable[str] = ()
) -> list[dict[str, Any]]:
    """
    Return the page of a listing the query asks for, each element in its summary or, with ``filter``, whole.

    :param now: seconds since the epoch, for dates such as ``yesterday``.
    :param declared: query parameters the service has dealt with itself.
    :raises BadRequest: a term whose value does not suit its field.
    """
    found = list(listing.documents)
    if listing.search is not None:
        fields = listing.search
        for field, operator, value in terms(query, fields, ignored={each.lower() for each in declared}):
            found = matching(found, fields[field], operator, value, name=field, now=now)
        found = ordered(found, query, fields)
    show = (listing.full or listing.summary) if selects_fields(query) else listing.summary
    return [show(each) for each in page(found, query)]


def page(elements: list[Any], query: Mapping[str, str]) -> list[Any]:
    """Return the elements ``limit`` and ``offset`` ask for."""
    limit, offset = bounds(query)
    return elements[offset : offset + limit]


def bounds(query: Mapping[str, str]) -> tuple[int, int]:
    """Return limit (100 when absent, at most 250) and offset; signs are ignored, as on the classic server.

    The offset may be called ``skip``, as later servers do.
    """
    limit = whole_number(query.get("limit") or str(DEFAULT_LIMIT), "limit")
    name = "offset" if query.get("offset") else "skip"
    return min(abs(limit), LARGEST_LIMIT), abs(whole_number(query.get(name) or "0", name))


def whole_number(text: str, name: str) -> int:
    """Return the integer a query value spells.

    :raises BadRequest: it spells none.
    """
    if not re.fullmatch(r"\s*[+-]?\d{1,18}\s*", text):
        raise BadRequest(f"Illegal integer value for {name}")
    return int(text)


# Fields


def selects_fields(query: Mapping[str, str]) -> bool:
    """Return whether ``filter`` names fields; ``*`` names all of them."""
    return bool(_wanted(query))


def projected(result: Any, query: Mapping[str, str]) -> Any:
    """Return the result, or each element of it, with only the fields ``filter`` names; unknown ones are ignored."""
    wanted = _wanted(query)
    if not wanted:
        return result
    if isinstance(result, list):
        return [_kept(each, wanted) for each in result]
    return _kept(result, wanted)


def _wanted(query: Mapping[str, str]) -> list[list[str]]:
    if "filter" not in query:
        return []
    names = [name.strip() for name in query["filter"].split(",") if name.strip()]
    return [] if "*" in names else [name.split(".", 1) for name in names]


def _kept(document: Any, wanted: list[list[str]]) -> Any:
    if not isinstance(document, dict):
        return document
    kept: dict[str, Any] = {}
    for first, *rest in wanted:
        if first not in document:
            continue
        below = document[first]
        if not rest:
            kept[first] = below
        elif isinstance(below, dict) and rest[0] in below:
            kept.setdefault(first, {})[rest[0]] = below[rest[0]]
    return kept


# Search terms


def terms(
    query: Mapping[str, str], fields: Mapping[str, str], *, ignored: Iterable[str] = ()
) -> Iterable[tuple[str, str, str]]:
    """Yield (field, operator, value) of each search term; what names no field is ignored, as on the server."""
    for key, value in query.items():
        name = key.lower()
        if name in _RESERVED or name in ignored:
            continue
        field, operator = (name, "") if name in fields else (name.rpartition(".")[0], name.rpartition(".")[2])
        if field in fields and operator in _OPERATORS:
            yield field, _SAME.get(operator, operator), value


def ordered(
    documents: list[dict[str, Any]], query: Mapping[str, str], fields: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return the documents in the order ``order`` and ``orderBy`` ask for; without them, as they came."""
    asked = {name.lower(): value.strip().lower() for name, value in query.items()}
    descending = asked.get("order", "").startswith("desc")
    path = fields.get(asked.get("orderby", ""))
    if path is not None:
        return sorted(documents, key=lambda each: _sort_key(_values(each, path)), reverse=descending)
    # Listings come newest first: ascending turns them round.
    return documents[::-1] if asked.get("order", "").startswith("asc") else documents


def matching(
    documents: list[dict[str, Any]], path: str, operator: str, value: str, *, name: str, now: float
) -> list[dict[str, Any]]:
    """Return the documents of which a field satisfies a term.

    :param path: dotted; through a list, any element may satisfy it.
    :raises BadRequest: the value does not suit the field's type.
    """
    if operator == "rlike":
        texts = _texts(documents, path)
        found = _found(value, {text for each in texts for text in each})
        return [document for document, mine in zip(documents, texts, strict=True) if found & mine]
    return [each for each in documents if _holds(each, path, operator, value, name=name, now=now)]


def _texts(documents: list[dict[str, Any]], path: str) -> list[set[str]]:
    return [{str(value)[:_LONGEST_SUBJECT] for value in _values(document, path)} for document in documents]


def _found(pattern: str, texts: set[str]) -> set[str]:
    """Return the texts in which a regular expression is found."""
    asked = sorted(texts)
    try:
        [answer] = patterns.answers([patterns.Question(pattern, asked, ignore_case=True)])
    except patterns.TooCostly as problem:
        raise BadRequest(f"The regular expression {shown(pattern)} is too costly: {problem}") from None
    if isinstance(answer, patterns.BadPattern):
        raise BadRequest(f"The regular expression {shown(pattern)} does not parse: {answer}") from None
    return {text for text, is_found in zip(asked, answer, strict=True) if is_found}


def _holds(document: Mapping[str, Any], path: str, operator: str, value: str, *, name: str, now: float) -> bool:
    if operator in _NEGATIONS:
        return not _holds(document, path, _NEGATIONS[operator], value, name=name, now=now)
    values = _values(document, path)
    if operator == "eq" and value == "null":
        return not values
    return any(_comparison(each, operator, value, name, now)(each) for each in values)


def _values(document: Any, path: str) -> list[Any]:
    """Return what is found at a dotted path, lists flattened, None left out."""
    found = [document]
    for step in path.split("."):
        found = [each[step] for each in _flat(found) if isinstance(each, Mapping) and step in each]
    return [each for each in _flat(found) if each is not None]


def _flat(values: Iterable[Any]) -> list[Any]:
    return [item for each in values for item in (_flat(each) if isinstance(each, list) else [each])]


def _sort_key(values: list[Any]) -> tuple[int, float, str]:
    if not values:
        return 0, 0.0, ""
    first = values[0]
    return (1, float(first), "") if isinstance(first, (int, float)) else (2, 0.0, str(first))


def _comparison(seen: Any, operator: str, value: str, name: str, now: float) -> Compare:
    """Return the test a term makes of a value of this type."""
    if isinstance(seen, bool):
        return _boolean_test(operator, value, name)
    if operator == "like":
        return lambda each: patterns.like(str(each), value)
    if isinstance(seen, (int, float)):
        return _ordering_test(operator, value, lambda text: _number(text, seen, name), lambda each: each)
    if isinstance(seen, str) and _ISO_DATE.match(seen):
        return _ordering_test(operator, value, lambda text: float(int(date(text, name, now=now))), _whole_second)
    return _ordering_test(operator, value, str, str)


def _ordering_test(operator: str, value: str, read: Callable[[str], Any], of: Callable[[Any], Any]) -> Compare:
    if operator in ("in", "between"):
        several = [read(each.strip()) for each in value.split(",")]
        if operator == "in":
            return lambda each: of(each) in several
        if len(several) != 2:
            raise BadRequest("between takes two values, joined by a comma")
        return lambda each: bool(several[0] <= of(each) <= several[1])
    wanted = read(value)
    tests: dict[str, Compare] = {
        "eq": lambda each: bool(of(each) == wanted),
        "lt": lambda each: bool(of(each) < wanted),
        "lte": lambda each: bool(of(each) <= wanted),
        "gt": lambda each: bool(of(each) > wanted),
        "gte": lambda each: bool(of(each) >= wanted),
    }
    return tests[operator]


def _boolean_test(operator: str, value: str, name: str) -> Compare:
    if operator != "eq":
        raise BadRequest(f"{name} is true or false: it takes eq and neq, not {operator}")
    wanted = value.lower() in ("true", "1")
    return lambda each: each is wanted


def _number(text: str, seen: float, name: str) -> float:
    if isinstance(seen, int):
        return whole_number(text, name)
    if not re.fullmatch(r"\s*[+-]?(\d+\.?\d*|\.\d+)\s*", text):
        raise BadRequest(f"Illegal decimal value for {name}")
    return float(text)


def _whole_second(text: str) -> float:
    # Equality of dates is within the second.
    return float(int(from_iso(text)))
