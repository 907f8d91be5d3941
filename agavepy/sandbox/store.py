"""What the tenant remembers: documents, histories and grants in one SQLite file."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    kind TEXT NOT NULL, key TEXT NOT NULL, updated REAL NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, key));
CREATE INDEX IF NOT EXISTS documents_newest ON documents (kind, updated DESC);
CREATE INDEX IF NOT EXISTS documents_uuid ON documents (json_extract(body, '$.uuid'))
    WHERE json_extract(body, '$.uuid') IS NOT NULL;
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY, subject TEXT NOT NULL, status TEXT NOT NULL, description TEXT NOT NULL,
    created REAL NOT NULL, created_by TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS events_subject ON events (subject, number);
CREATE TABLE IF NOT EXISTS grants (
    subject TEXT NOT NULL, username TEXT NOT NULL, permission TEXT NOT NULL, PRIMARY KEY (subject, username));
"""

_NONE: frozenset[str] = frozenset()
GRANTS = "grant"  # what :meth:`Store.when_written` calls them


class _Connection(sqlite3.Connection):
    """A connection that closes itself when its thread is gone."""

    def __del__(self) -> None:
        self.close()


class Store:
    """Documents by kind and key, events and grants by subject; safe for many threads.

    Every write is durable when its method returns, or when the outermost :meth:`transaction` ends.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._all: weakref.WeakSet[_Connection] = weakref.WeakSet()
        self._opening = threading.Lock()
        self._listeners: dict[str, list[Callable[[], None]]] = {}
        self._writing = threading.Lock()  # SQLite has one writer; who waits for it there looks again only now and then
        # Made before SQLite does it with the rights of any file; what it puts beside it takes over the rights.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        os.chmod(path, 0o600)
        self._connection().executescript(_SCHEMA)

    def _connection(self) -> _Connection:
        connection: _Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(
                self._path, timeout=30, isolation_level=None, check_same_thread=False, factory=_Connection
            )
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")  # what is acknowledged survives a power cut
            self._local.connection, self._local.depth = connection, 0
            self._local.written, self._local.afterwards = set(), []
            with self._opening:
                self._all.add(connection)
        return connection

    def close(self) -> None:
        """Close every thread's connection; the store is not used afterwards."""
        with self._opening:
            for connection in self._all:
                connection.close()
            self._all.clear()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Make the block's reads and writes one unit; nested blocks join the outermost."""
        connection = self._connection()
        if self._local.depth:
            yield
            return
        with self._lane():
            connection.execute("BEGIN IMMEDIATE")
            self._local.depth = 1
            afterwards: list[Callable[[], None]] = []
            try:
                yield
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            else:
                connection.execute("COMMIT")
                self._tell(self._local.written)
                afterwards = self._local.afterwards
            finally:
                self._local.depth = 0
                self._local.written, self._local.afterwards = set(), []
        for do in afterwards:
            do()

    @contextlib.contextmanager
    def turn(self) -> Iterator[bool]:
        """Let what this thread writes in the block wait for nobody; False: somebody writes already, and it may not."""
        if not self._writing.acquire(blocking=False):
            yield False
            return
        self._local.has_turn = True
        try:
            yield True
        finally:
            self._local.has_turn = False
            self._writing.release()

    def _lane(self) -> contextlib.AbstractContextManager[Any]:
        """Return what is held while something is written."""
        is_held = self.in_transaction or getattr(self._local, "has_turn", False)
        return contextlib.nullcontext() if is_held else self._writing

    def _write(self, sql: str, values: tuple[Any, ...]) -> sqlite3.Cursor:
        connection = self._connection()
        with self._lane():
            return connection.execute(sql, values)

    def when_committed(self, do: Callable[[], None]) -> None:
        """Call ``do`` once this thread's transaction has taken effect, not at all if it fails; outside of one, now."""
        if self.in_transaction:
            self._local.afterwards.append(do)
        else:
            do()

    @property
    def in_transaction(self) -> bool:
        """Whether this thread is inside of a :meth:`transaction`."""
        return getattr(self._local, "depth", 0) > 0

    def is_writing(self, kinds: Collection[str]) -> bool:
        """Return whether this thread is in a transaction that has written to one of these kinds."""
        return not getattr(self._local, "written", _NONE).isdisjoint(kinds)  # empty outside of transactions

    def when_written(self, kinds: Iterable[str], do: Callable[[], None]) -> None:
        """Call ``do`` whenever writes to documents of these kinds, or to GRANTS, have taken effect."""
        for kind in kinds:
            self._listeners.setdefault(kind, []).append(do)

    def _wrote(self, kind: str) -> None:
        if self.in_transaction:
            self._local.written.add(kind)
        else:
            self._tell((kind,))

    def _tell(self, kinds: Iterable[str]) -> None:
        for kind in kinds:
            for do in self._listeners.get(kind, ()):
                do()

    # Documents

    def put(self, kind: str, key: str, document: dict[str, Any], *, updated: float) -> None:
        """Keep a document; one of that kind and key is replaced. ``updated``: seconds, orders :meth:`all`."""
        row = kind, key, updated, json.dumps(document)
        self._write("INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?)", row)
        self._wrote(kind)

    def get(self, kind: str, key: str) -> dict[str, Any] | None:
        """Return the document, or None."""
        row = self._connection().execute("SELECT body FROM documents WHERE kind=? AND key=?", (kind, key)).fetchone()
        return json.loads(row[0]) if row else None

    def all(self, kind: str) -> Iterator[dict[str, Any]]:
        """Yield the documents of a kind, the latest updated first."""
        rows = self._connection().execute(
            "SELECT body FROM documents WHERE kind=? ORDER BY updated DESC, rowid DESC", (kind,)
        )
        return (json.loads(body) for (body,) in rows.fetchall())

    def counts(self, kind: str, field: str) -> dict[Any, int]:
        """Return how many documents of a kind have which value in a field of theirs; None: they have no such field."""
        rows = self._connection().execute(
            "SELECT json_extract(body, ?) AS value, count(*) FROM documents WHERE kind=? GROUP BY value",
            (f"$.{field}", kind),
        )
        return dict(rows.fetchall())

    def below(self, kind: str, key: str) -> list[tuple[str, dict[str, Any]]]:
        """Return key and document of those whose key begins with ``key/``, in the order of keys."""
        rows = self._connection().execute(
            # "0" is the character after "/": a range, so that the primary key answers.
            "SELECT key, body FROM documents WHERE kind=? AND key>=? AND key<? ORDER BY key",
            (kind, f"{key}/", f"{key}0"),
        )
        return [(found, json.loads(body)) for found, body in rows.fetchall()]

    def count_below(self, kind: str, key: str) -> int:
        """Return how many documents have a key that begins with ``key/``."""
        row = self._connection().execute(
            "SELECT COUNT(*) FROM documents WHERE kind=? AND key>=? AND key<?", (kind, f"{key}/", f"{key}0")
        )
        return int(row.fetchone()[0])

    def has_any(self, kind: str) -> bool:
        """Return whether there is a document of a kind."""
        row = self._connection().execute("SELECT EXISTS (SELECT 1 FROM documents WHERE kind=?)", (kind,)).fetchone()
        return bool(row[0])

    def by_uuid(self, kind: str, uuid: str) -> tuple[str, dict[str, Any]] | None:
        """Return key and document of the one whose field ``uuid`` has the value; None when there is none."""
        query = "SELECT key, body FROM documents WHERE json_extract(body, '$.uuid')=? AND kind=?"
        row = self._connection().execute(query, (uuid, kind)).fetchone()
        return (row[0], json.loads(row[1])) if row else None

    def delete(self, kind: str, key: str) -> bool:
        """Forget the document; False when there was none."""
        cursor = self._write("DELETE FROM documents WHERE kind=? AND key=?", (kind, key))
        self._wrote(kind)
        return cursor.rowcount > 0

    # Tables of other modules

    def execute(self, sql: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        """Run a statement on tables that another module keeps beside these."""
        return self._connection().execute(sql, values)

    def execute_many(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        """Run a statement on such tables once a row."""
        self._connection().executemany(sql, rows)

    # Histories

    def add_event(self, subject: str, status: str, description: str, *, created: float, created_by: str) -> None:
        """Append to the history of ``subject``."""
        self._write(
            "INSERT INTO events (subject, status, description, created, created_by) VALUES (?, ?, ?, ?, ?)",
            (subject, status, description, created, created_by),
        )

    def events(self, subject: str) -> list[dict[str, Any]]:
        """Return the history of ``subject``, oldest first: status, description, created (seconds), created_by."""
        names = ("status", "description", "created", "created_by")
        rows = self._connection().execute(
            "SELECT status, description, created, created_by FROM events WHERE subject=? ORDER BY number", (subject,)
        )
        return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]

    # Grants

    def grant(self, subject: str, username: str, permission: str) -> None:
        """Give ``username`` a permission word on ``subject``; "NONE" takes it away."""
        if permission == "NONE":
            self._write("DELETE FROM grants WHERE subject=? AND username=?", (subject, username))
        else:
            row = (subject, username, permission)
            self._write("INSERT OR REPLACE INTO grants VALUES (?, ?, ?)", row)
        self._wrote(GRANTS)

    def grants(self, subject: str) -> dict[str, str]:
        """Return username → permission word, in the order of names."""
        rows = self._connection().execute(
            "SELECT username, permission FROM grants WHERE subject=? ORDER BY username", (subject,)
        )
        return dict(rows.fetchall())

    def revoke_all(self, subject: str) -> None:
        """Take every grant on ``subject`` away."""
        self._write("DELETE FROM grants WHERE subject=?", (subject,))
        self._wrote(GRANTS)


def new_uuid(type_code: str) -> str:
    """Return an Agave UUID: 19 digits, a node, a counter, and the three digits that name the type."""
    digits = (time.time_ns() * 1000 + secrets.randbelow(1000)) % 10**19
    return f"{digits:019d}-{secrets.token_hex(4)}-0001-{type_code}"
