"""What the tenant knows of files beyond their bytes: uuids, histories and grants, by place.

A record comes into being when the API touches a place; it moves with the file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from .clock import Clock
from .disk import path_in
from .pems import ALL, EVERYBODY, joined
from .store import Store, new_uuid

Record = dict[str, Any]

_KIND = "file"


class FileRecords:
    """
    Records of places below ``systems``. Places are given with their links resolved (:meth:`Disk.real`).

    :param announce: told of every line of a history: place, record, event, user and the macros of the event.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        systems: Path,
        *,
        announce: Callable[[Path, Record, str, str, Mapping[str, str]], None],
    ) -> None:
        self._announce = announce
        self._store = store
        self._clock = clock
        self._systems = systems

    # Records

    def find(self, real: Path) -> Record | None:
        """Return the record of a place: uuid, owner, source, status, deleted, created (s); None: never touched."""
        return self._store.get(_KIND, self.key_of(real))

    def touch(self, real: Path, owner: str, **changes: Any) -> Record:
        """Return the record of a place, made now if need be, with ``changes`` (status, source, deleted) kept."""
        with self._store.transaction():
            known = self.find(real)
            record = {**(known or self._fresh(owner)), **changes}
            if record != known:
                self._put(self.key_of(real), record)
        return record

    def _fresh(self, owner: str) -> Record:
        return {
            "uuid": new_uuid("002"),
            "owner": owner,
            "source": None,
            "status": "UNKNOWN",
            "deleted": False,
            "created": self._clock.now(),
        }

    def key_of(self, real: Path) -> str:
        """Return the key a place's record is kept under."""
        # Quoted: names may be any bytes, SQLite's text may not; and keys sort by "/".
        return quote(os.fsencode(path_in(real, self._systems)))

    def _put(self, key: str, record: Record) -> None:
        self._store.put(_KIND, key, record, updated=self._clock.now())

    # Histories

    def note(self, real: Path, user: str, status: str, description: str, **changes: Any) -> Record:
        """Add to the history of a place, and make ``status`` its status; return its record."""
        with self._store.transaction():
            record = self.touch(real, user, status=status, **changes)
            self.add_line(real, record, user, status, description)
        return record

    def note_grant(
        self, real: Path, user: str, status: str, description: str, *, macros: Mapping[str, str] | None = None
    ) -> None:
        """Add to the history of a place without changing its status."""
        with self._store.transaction():
            self.add_line(real, self.touch(real, user), user, status, description, macros)

    def history(self, real: Path) -> list[dict[str, Any]]:
        """Return the events of a place, oldest first; empty when it was never touched."""
        record = self.find(real)
        return self._store.events(record["uuid"]) if record else []

    def by_uuid(self, uuid: str) -> tuple[Path, Record] | None:
        """Return place and record of a uuid; None when there is none, or the item is gone."""
        found = self._store.by_uuid(_KIND, uuid)
        return (self.place_of(found[0]), found[1]) if found and not found[1]["deleted"] else None

    def add_line(
        self,
        real: Path,
        record: Record,
        user: str,
        status: str,
        description: str,
        macros: Mapping[str, str] | None = None,
    ) -> None:
        """Add to the history of a record, whose status is the caller's to keep; tell who listens."""
        self._store.add_event(record["uuid"], status, description, created=self._clock.now(), created_by=user)
        self._announce(real, record, status, user, macros or {})

    # Whole trees

    def carry(self, source: Path, destination: Path) -> None:
        """Let the records of a tree follow it to its new place; those that were there are forgotten."""
        old, new = self.key_of(source), self.key_of(destination)
        with self._store.transaction():
            moved = list(self._tree(source))
            for key, record in list(self._tree(destination)):
                self._revoke_all(record)
                self._store.delete(_KIND, key)
            for key, record in moved:
                self._store.delete(_KIND, key)
                self._put(new + key[len(old) :], record)

    def mark_deleted(self, real: Path, user: str) -> None:
        """Take the grants of a tree away and note that it is gone; its history stays."""
        with self._store.transaction():
            self.touch(real, user)
            for key, record in list(self._tree(real)):
                gone = {**record, "deleted": True, "status": "DELETED"}
                self._put(key, gone)
                # Before the grants go, so that those it was shared with are told.
                self.add_line(self.place_of(key), gone, user, "DELETED", f"Deleted by {user}")
                self._revoke_all(record)

    def forget(self, folder: Path) -> None:
        """Remove the records of a tree, as if it had never been."""
        with self._store.transaction():
            for key, record in list(self._tree(folder)):
                self._revoke_all(record)
                self._store.delete(_KIND, key)

    def _tree(self, real: Path) -> Iterator[tuple[str, Record]]:
        record = self.find(real)
        if record:
            yield self.key_of(real), record
        yield from self._store.below(_KIND, self.key_of(real))

    # Grants

    def rights(self, real: Path, user: str) -> int:
        """Return the bits granted to the user, to ``public`` and to ``world``; of each the nearest grant counts."""
        return joined(self._nearest(real, (user, *EVERYBODY)).values())

    def rights_below(self, folder: Path, user: str) -> int:
        """Return the bits that recursive grants on the folder or above it give on what is in it."""
        nearest: dict[str, str] = {}
        for grants in self._inherited(folder, itself=True):
            nearest = {**grants, **nearest}
        return joined(word for name, word in nearest.items() if name in (user, *EVERYBODY))

    def lowest_below(self, folder: Path, user: str) -> int:
        """Return the bits the user has on everything in the folder that has grants of its own; ALL if nothing has."""
        bits = ALL
        for key, record in self._store.below(_KIND, self.key_of(folder)):
            if not record["deleted"] and self._store.grants(record["uuid"]).keys() & {user, *EVERYBODY}:
                bits &= self.rights(self.place_of(key), user)
        return bits

    def entry_rights(self, real: Path, user: str, *, inherited: int) -> int:
        """Return the bits on an item of a folder whose :meth:`rights_below` are known."""
        return self.rights(real, user) if self._own(real) else inherited

    def grantees(self, real: Path) -> dict[str, tuple[str, bool]]:
        """Return username → (permission word, recursive) of every grant that counts on the place."""
        record = self.find(real)
        below = self._store.grants(_below(record)) if record else {}
        own = self._own(real)
        names = sorted({*own, *(name for grants in self._inherited(real) for name in grants)})
        nearest = self._nearest(real, names)
        return {name: (nearest[name], name not in own or below.get(name) == own[name]) for name in names}

    def grant(self, real: Path, username: str, word: str, *, recursive: bool, owner: str) -> None:
        """Give a permission word on a place, and with ``recursive`` on all below it; NONE takes it away."""
        with self._store.transaction():
            record = self.touch(real, owner)
            self._store.grant(record["uuid"], username, word)
            if recursive:
                self._store.grant(_below(record), username, word)
                for _, inner in self._store.below(_KIND, self.key_of(real)):
                    self._store.grant(inner["uuid"], username, "NONE")
                    self._store.grant(_below(inner), username, "NONE")

    def revoke_all(self, real: Path, *, recursive: bool) -> None:
        """Take every grant on the place away, with ``recursive`` also those below it."""
        with self._store.transaction():
            record = self.find(real)
            trees = self._tree(real) if recursive else [("", record)] if record else []
            for _, found in list(trees):
                self._revoke_all(found)

    def _revoke_all(self, record: Record) -> None:
        self._store.revoke_all(record["uuid"])
        self._store.revoke_all(_below(record))

    def _nearest(self, real: Path, names: Iterable[str]) -> dict[str, str]:
        nearest = self._own(real)
        for grants in self._inherited(real):
            nearest = {**grants, **nearest}
        return {name: nearest[name] for name in names if name in nearest}

    def _own(self, real: Path) -> dict[str, str]:
        record = self.find(real)
        return self._store.grants(record["uuid"]) if record else {}

    def _inherited(self, real: Path, *, itself: bool = False) -> Iterator[dict[str, str]]:
        """Yield the recursive grants of the folders above, the nearest first."""
        for folder in (*((real,) if itself else ()), *real.parents):
            if folder == self._systems:
                return
            record = self.find(folder)
            if record:
                yield self._store.grants(_below(record))

    def place_of(self, key: str) -> Path:
        """Return the place a key stands for."""
        return self._systems / os.fsdecode(unquote_to_bytes(key))


def _below(record: Record) -> str:
    """Return the subject of the grants that hold for everything in a folder."""
    return f"{record['uuid']}/**"
