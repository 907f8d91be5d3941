"""Abaco's search: records found by a text anywhere in them, or by their fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import search
from .api import BadRequest
from .fields import shown

Record = dict[str, Any]

KINDS = ("actors", "executions", "workers", "logs")
DEFAULT_LIMIT, LARGEST_LIMIT = 100, 1000
_FOR_TEXT = ("q", "search", "exactsearch")
_PAGING = ("limit", "skip")
_REGULAR = {"like": False, "nlike": True}  # here these two take regular expressions


def is_search(query: Mapping[str, str]) -> bool:
    """Return whether a query turns a list into a search: by more than ``limit`` and ``offset``."""
    return any(name not in ("limit", "offset", "x-nonce") for name in query)


def found(records: list[Record], query: Mapping[str, str], *, now: float) -> Record:
    """
    Return the records that satisfy all terms of a query, as many as its ``limit`` says, with their counts.

    :raises BadRequest: a term whose value does not suit its field.
    """
    matches = records
    for name, value in query.items():
        if name not in _PAGING and name != "x-nonce":
            matches = _matching(matches, name, value, now)
    limit, skip = _whole(query, "limit", DEFAULT_LIMIT, LARGEST_LIMIT), _whole(query, "skip", 0, 10**9)
    page = matches[skip : skip + limit]
    counts = {"totalCount": len(matches), "recordsSkipped": skip, "recordLimit": limit, "countReturned": len(page)}
    return {"_metadata": counts, "search": page}


def _matching(records: list[Record], name: str, value: str, now: float) -> list[Record]:
    if name in _FOR_TEXT:
        return [each for each in records if _holds_text(each, value, is_exact=name == "exactsearch")]
    # A record without the field does not match: so a field that none has matches nothing, as on the server.
    return [each for each in records if _holds_term(each, name, value, now)]


def _holds_text(record: Record, text: str, *, is_exact: bool) -> bool:
    """Return whether all words of a text are somewhere in a record; exact: the text as it stands."""
    hay = " ".join(_texts({name: value for name, value in record.items() if name != "_links"})).lower()
    words = [text.lower()] if is_exact else text.lower().split()
    return all(word in hay for word in words)


def _texts(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [text for each in value.values() for text in _texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [] if value is None else [str(value)]


def _holds_term(record: Record, name: str, value: str, now: float) -> bool:
    fields = {field.lower(): field for field in record}
    terms = list(search.terms({name: value}, fields))
    if not terms:
        return False
    [(field, operator, text)] = terms
    is_negated = _REGULAR.get(operator, False)
    operator = "rlike" if operator in _REGULAR else operator
    holds = bool(search.matching([record], fields[field], operator, text, name=name, now=now))
    return holds is not is_negated


def _whole(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    value = search.whole_number(query.get(name) or str(default), name)
    if value < 0:
        raise BadRequest(f"Illegal value for {name}: it is 0 or more; got {shown(value)}")
    return min(value, most)
