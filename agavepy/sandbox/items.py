"""Items that are searched with MongoDB's queries: metadata and its schemas, in tables of the tenant's store."""

from __future__ import annotations

import dataclasses
import itertools
import json
import time
from collections.abc import Iterable, Iterator
from typing import Any

from . import mongo, mongo_sql
from .api import BadRequest
from .pems import EVERYBODY
from .store import Store

_SCHEMA = """
CREATE TABLE IF NOT EXISTS items (
    number INTEGER PRIMARY KEY, kind TEXT NOT NULL, uuid TEXT NOT NULL UNIQUE, owner TEXT NOT NULL,
    updated REAL NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS items_newest ON items (kind, updated DESC, number DESC);
CREATE INDEX IF NOT EXISTS items_owner ON items (kind, owner, updated DESC, number DESC);
CREATE TABLE IF NOT EXISTS leaves (
    kind TEXT NOT NULL, path TEXT NOT NULL, type TEXT NOT NULL, value NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (kind, path, type, value, number)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS grants_username ON grants (username, subject);
"""
_FEW = 2500  # items that are fetched one by one rather than met on the way through all
_BATCH = 500
_PATIENCE_S = 10.0  # for queries that SQL cannot answer
_READING = ("READ", "READ_WRITE", "ALL")

Item = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Wanted:
    """Which items a page holds: the reader (None: sees everything), the query, the order and the bounds."""

    query: mongo.Query
    reader: str | None
    limit: int
    offset: int
    order_by: str = "lastUpdated"
    descending: bool = True


class Items:
    """Items of one kind, each a document with ``uuid``, ``owner``, ``created``, ``lastUpdated`` (seconds)."""

    def __init__(self, store: Store, kind: str) -> None:
        self._store = store
        self._kind = kind
        for statement in _SCHEMA.split(";"):
            store.execute(statement)

    def get(self, uuid: str) -> Item | None:
        """Return the item, or None."""
        row = self._store.execute("SELECT body FROM items WHERE kind=? AND uuid=?", (self._kind, uuid)).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, item: Item) -> None:
        """Keep an item; one with its uuid is replaced."""
        with self._store.transaction():
            known = self._row(item["uuid"])
            number = self._written(item) if known is None else self._rewritten(known[0], item)
            old = mongo_sql.leaves(known[1]) if known else set()
            new = mongo_sql.leaves(item)
            self._forget(number, old - new)
            rows = [(self._kind, *leaf, number) for leaf in new - old]
            self._store.execute_many("INSERT INTO leaves VALUES (?, ?, ?, ?, ?)", rows)

    def delete(self, uuid: str) -> None:
        """Forget an item, if there is one."""
        with self._store.transaction():
            known = self._row(uuid)
            if known:
                self._forget(known[0], mongo_sql.leaves(known[1]))
                self._store.execute("DELETE FROM items WHERE number=?", (known[0],))

    def _row(self, uuid: str) -> tuple[int, Item] | None:
        row = self._store.execute("SELECT number, body FROM items WHERE uuid=?", (uuid,)).fetchone()
        return (row[0], json.loads(row[1])) if row else None

    def _written(self, item: Item) -> int:
        values = (self._kind, item["uuid"], item["owner"], item["lastUpdated"], json.dumps(item))
        sql = "INSERT INTO items (kind, uuid, owner, updated, body) VALUES (?, ?, ?, ?, ?)"
        return int(self._store.execute(sql, values).lastrowid or 0)

    def _rewritten(self, number: int, item: Item) -> int:
        values = (item["lastUpdated"], json.dumps(item), number)
        self._store.execute("UPDATE items SET updated=?, body=? WHERE number=?", values)
        return number

    def _forget(self, number: int, old: Iterable[mongo_sql.Leaf]) -> None:
        sql = "DELETE FROM leaves WHERE kind=? AND path=? AND type=? AND value=? AND number=?"
        self._store.execute_many(sql, [(self._kind, *leaf, number) for leaf in old])

    # Searching

    def page(self, wanted: Wanted) -> list[Item]:
        """
        Return the items of a page.

        :raises BadRequest: the query takes too long.
        """
        condition = self._few(wanted.query) or mongo_sql.condition(wanted.query, self._kind, self._fitting_texts)
        sql, values = self._select(wanted, condition)
        if condition.exact:
            rows = self._store.execute(f"{sql} LIMIT ? OFFSET ?", (*values, wanted.limit, wanted.offset))
            return [json.loads(body) for (body,) in rows.fetchall()]
        cursor = self._store.execute(sql, values)
        try:
            found = self._fitting(wanted.query, (json.loads(body) for (body,) in cursor))
            return list(itertools.islice(found, wanted.offset, wanted.offset + wanted.limit))
        finally:
            cursor.close()

    def _select(self, wanted: Wanted, condition: mongo_sql.Condition) -> tuple[str, tuple[Any, ...]]:
        values: tuple[Any, ...] = (self._kind,)
        where = "d.kind=?"
        for sql, more in (self._readable(wanted.reader), (condition.sql, condition.values)):
            where += f" AND ({sql})"
            values += more
        direction = "DESC" if wanted.descending else "ASC"
        order = f"{_ORDERS[wanted.order_by]} {direction}, d.number {direction}"
        return f"SELECT d.body FROM items d WHERE {where} ORDER BY {order}", values  # noqa: S608 - ours, word by word

    def _readable(self, reader: str | None) -> tuple[str, tuple[Any, ...]]:
        if reader is None:
            return "1", ()
        names, words = (reader, *EVERYBODY), _READING
        granted = "SELECT subject FROM grants WHERE username IN (?, ?, ?) AND permission IN (?, ?, ?)"
        return f"+d.owner=? OR +d.uuid IN ({granted})", (reader, *names, *words)

    def _few(self, query: mongo.Query) -> mongo_sql.Condition | None:
        """Return a look-up that all items must pass and few do; trying the query on those is quicker than more SQL."""
        several = mongo_sql.conjuncts(query)
        if any(_has_pattern(each) for each in several):
            return None
        for each in several:
            found = mongo_sql.condition(each, self._kind, self._fitting_texts)
            if found.lookup and self._count(found) < _FEW:
                sql = f"d.number IN ({found.lookup})"
                return dataclasses.replace(found, sql=sql, exact=found.exact and len(several) == 1)
        return None

    def _count(self, found: mongo_sql.Condition) -> int:
        sql = f"SELECT count(*) FROM ({found.lookup} LIMIT {_FEW})"  # noqa: S608 - ours, word by word
        return int(self._store.execute(sql, found.values).fetchone()[0])

    def _fitting_texts(self, pattern: mongo.Pattern, path: str) -> list[str]:
        sql = "SELECT DISTINCT value FROM leaves WHERE kind=? AND path=? AND type='text'"
        texts = [text for (text,) in self._store.execute(sql, (self._kind, path)).fetchall()]
        return sorted(mongo.fitting_texts(pattern, texts))

    def _fitting(self, query: mongo.Query, items: Iterator[Item]) -> Iterator[Item]:
        """Yield the items that fit, batch by batch, so that regular expressions are asked for many texts at once."""
        wanted = list(_patterns(query))
        end = time.monotonic() + _PATIENCE_S
        while batch := list(itertools.islice(items, _BATCH)):
            if time.monotonic() > end:
                raise BadRequest(f"The query takes more than {_PATIENCE_S:.0f} s. Narrow it down by name or owner.")
            texts = {text for each in batch for text in _texts(each)} if wanted else set()
            text_test = mongo.tested(wanted, texts)
            yield from (each for each in batch if mongo.fits(query, each, text_test))


_ORDERS = {
    "lastUpdated": "d.updated",
    "owner": "d.owner",
    "uuid": "d.uuid",
    "tenantId": "d.kind",  # the same for all
    **{
        name: f"json_extract(d.body, '$.{name}')"
        for name in ("name", "value", "created", "schemaId", "internalUsername")
    },
}
ORDERS = tuple(_ORDERS)


def _has_pattern(query: mongo.Query) -> bool:
    return next(_patterns(query), None) is not None


def _patterns(query: mongo.Query) -> Iterator[mongo.Pattern]:
    for each in mongo.parts(query):
        if isinstance(each, mongo.Field) and isinstance(each.test, mongo.Equals):
            yield from (value for value in each.test.values if isinstance(value, mongo.Pattern))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)
