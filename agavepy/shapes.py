"""What a result should look like by its schema: dates become datetimes, and what departs is noted, never refused."""

from __future__ import annotations

import datetime
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from .records import AttrDict, declare
from .specs import Document

Note = Callable[[str, str, str], None]  # field, seen, expected

_PYTHON_TYPES: Mapping[str, frozenset[type]] = {
    "string": frozenset({str}),
    "integer": frozenset({int}),
    "number": frozenset({int, float}),
    "boolean": frozenset({bool}),
    "array": frozenset({list}),
    "object": frozenset({AttrDict}),
}


class Drift(NamedTuple):
    """One way in which an answer departed from the specification."""

    operation: str
    field: str  # dotted, from "result"
    seen: str
    expected: str


class Shape:
    """A schema made ready to look at many values at once.

    Values of one place are looked at together, a column at a time: ten thousand records cost a few milliseconds.
    """

    def __init__(self, document: Document, schema: Mapping[str, Any], known: dict[int, Shape] | None = None) -> None:
        known = {} if known is None else known
        known[id(schema)] = self  # a model may contain itself
        self._properties = document.properties(schema)
        self.expected = schema.get("type") or ("object" if self._properties else "anything")
        self.is_date = self.expected == "string" and schema.get("format") == "date-time"
        self._types = _PYTHON_TYPES.get(self.expected, frozenset())
        self._allows_null = bool(schema.get("x-nullable"))
        self._enum = frozenset(schema.get("enum", ())) if self.expected == "string" else frozenset()

        def shape(node: Mapping[str, Any]) -> Shape:
            resolved = document.resolve(node)
            return known.get(id(resolved)) or Shape(document, resolved, known)

        self._fields = {name: shape(node) for name, node in self._properties.items()}
        declare(self._fields)
        self._items = shape(schema["items"]) if "items" in schema else None
        self._other = shape(schema["x-or"]) if "x-or" in schema else None

    def settle(self, values: list[Any], field: str, note: Note) -> None:
        """Convert the dates in ``values``, all found at ``field``, and note what departs."""
        if self._other:
            self._other.settle([value for value in values if type(value) not in self._types], field, note)
            values = [value for value in values if type(value) in self._types]
        kinds = set(map(type, values))
        for kind in self._unexpected(kinds):
            note(field, kind.__name__, self.expected)
        if self._enum:
            self._check_enum(values, field, note)
        if self._fields and AttrDict in kinds:
            self._settle_fields([value for value in values if type(value) is AttrDict], field, note)
        if self._items and list in kinds:
            self._settle_items([value for value in values if type(value) is list], field, note)

    def _unexpected(self, kinds: set[type]) -> Iterable[type]:
        if not self._types:
            return ()
        return kinds - self._types - ({type(None)} if self._allows_null else set())

    def _check_enum(self, values: list[Any], field: str, note: Note) -> None:
        for value in {value for value in values if type(value) is str} - self._enum:
            note(field, repr(value[:60]), f"one of {', '.join(sorted(self._enum))}")

    def _settle_fields(self, records: list[AttrDict], field: str, note: Note) -> None:
        for name, shape in self._fields.items():
            holders, column = _column(records, name)
            if shape.is_date:
                dates = shape._dates(column, f"{field}.{name}", note)
                for holder, date in zip(holders, dates, strict=True):
                    holder[name] = date
            else:
                shape.settle(column, f"{field}.{name}", note)

    def _settle_items(self, lists: list[list[Any]], field: str, note: Note) -> None:
        assert self._items is not None
        if self._items.is_date:
            for one in lists:
                one[:] = self._items._dates(one, f"{field}[]", note)
        else:
            self._items.settle([item for one in lists for item in one], f"{field}[]", note)

    def _dates(self, values: list[Any], field: str, note: Note) -> list[Any]:
        try:  # in one go, in C: nearly always all is well
            dates = list(map(datetime.datetime.fromisoformat, values))
        except (TypeError, ValueError):
            dates = []
        if dates and all(date.tzinfo for date in dates):
            return dates
        return [self._date(value, field, note) for value in values]

    def _date(self, value: Any, field: str, note: Note) -> Any:
        if value is None and self._allows_null:
            return value
        moment = parse_date(value) if type(value) is str else None
        if moment is None:
            note(field, repr(value)[:60], "date-time")
        return value if moment is None else moment


def _column(records: list[AttrDict], name: str) -> tuple[list[AttrDict], list[Any]]:
    """Return the records that have the field, and their values of it."""
    try:
        return records, list(map(operator.itemgetter(name), records))
    except KeyError:
        holders = [record for record in records if name in record]
        return holders, [record[name] for record in holders]


def parse_date(text: str) -> datetime.datetime | None:
    """Return an ISO 8601 date and time as an aware datetime (UTC where it names no zone), or None."""
    if len(text) < 16:  # a date without a time
        return None
    moment: datetime.datetime | None
    try:
        moment = datetime.datetime.fromisoformat(text[:-1] + "+00:00" if text[-1] in "Zz" else text)
    except ValueError:
        moment = _parse_unusual(text)
    if moment is None or moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=datetime.timezone.utc)


def _parse_unusual(text: str) -> datetime.datetime | None:
    """Parse what Python 3.10's ``fromisoformat`` does not: any number of digits of a second, ``+0500``."""
    from dateutil.parser import isoparse

    try:
        moment: datetime.datetime = isoparse(text)
    except (ValueError, OverflowError):
        return None
    return moment
