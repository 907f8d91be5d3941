"""What changes on disk and in the records when folders are made and items moved, copied or deleted."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from . import durable
from .api import BadRequest, NotFound
from .disk import Disk
from .file_access import FileAccess, Target
from .file_records import FileRecords, Record
from .pems import READ, WRITE
from .store import Store, new_uuid

Changed = tuple[Target, Record]
Intent = dict[str, Any]

_INTENT = "file-change"


class FileChanges:
    """Changes targets with the rights of their user, and notes it in their histories."""

    def __init__(self, disk: Disk, store: Store, access: FileAccess, records: FileRecords) -> None:
        self._disk = disk
        self._store = store
        self._access = access
        self._records = records

    def note(self, target: Target, status: str, description: str, **changes: Any) -> Record:
        """Add to the history of an item that is there; return its record."""
        return self._records.note(target.real, target.user, status, description, **{"deleted": False, **changes})

    def make_folders(self, folder: Target, url_of: Callable[[Target], str]) -> bool:
        """Make a folder and those above it that are missing; return whether there was anything to make."""
        self._access.require_writable(folder)
        made = self._disk.make_folders(folder.real)
        for real in made:
            durable.sync(real.parent)
        for real in made:
            there = dataclasses.replace(folder, path=self._disk.api_path(folder.system, real), real=real)
            self.note(there, "CREATED", f"New directory created at {url_of(there)}")
        return bool(made)

    def rename(self, target: Target, name: str) -> Changed:
        """Give an item another name in the same folder; what has that name stays."""
        self._require_movable(target)
        renamed = self._access.child(self._access.parent(target), name)
        self._access.require_writable(renamed)
        if os.path.lexists(renamed.real):
            raise BadRequest(f"A File or folder at {renamed.path} already exists")
        return self._carried(target, renamed, "RENAME")

    def move(self, target: Target, path: str) -> Changed:
        """Move an item to a path; what is there is replaced."""
        self._require_movable(target)
        destination = self._destination(target, path)
        if destination.real.is_dir():
            self._access.require_tree(destination, WRITE)
        return self._carried(target, destination, "MOVED")

    def copy(self, target: Target, path: str, *, append: bool) -> Changed:
        """
        Copy an item to a path; folders merge, files are overwritten.

        :param append: put a file behind the one that is there.
        """
        self._access.require_tree(target, READ)
        require_there(target)
        destination = self._destination(target, path)
        event = arrival(destination)
        if append and target.real.is_file() and destination.real.is_file():
            self._disk.append_file(target.real, destination.real)
        else:
            self._access.require_tree(destination, WRITE if destination.real.is_dir() else 0)
            self._disk.copy_tree(target.real, destination.real)
            durable.sync_tree(destination.real)
        return destination, self.note(destination, event, f"Copied from {target.path}")

    def delete(self, target: Target) -> None:
        """Delete an item with all in it; :raises NotFound: it is not there, and never was as far as is known."""
        self._access.require_tree(target, WRITE)
        if target.is_root():
            raise BadRequest("The root directory of a system cannot be deleted.")
        record = self._records.find(target.real)
        with self._intended(target.user, target.real) as intent:
            try:
                self._disk.remove(target.real)
                durable.sync(target.real.parent)
            except (FileNotFoundError, NotADirectoryError):
                # What the tenant knows of may have gone by another way, a job's for instance: then it is forgotten.
                if record is None or record["deleted"]:
                    raise NotFound(f"Remote path {target.path} does not exist.") from None
            self._settle(intent)

    def _require_movable(self, target: Target) -> None:
        self._access.require_tree(target, READ | WRITE)
        require_there(target)
        if target.is_root():
            raise BadRequest("The root directory of a system cannot be moved.")

    def _destination(self, source: Target, path: str) -> Target:
        """Return where a move or copy goes; :raises BadRequest: that does not go with the source."""
        destination = self._access.on(source.user, source.system, path, follow=False)
        self._access.require_writable(destination)
        _refuse_overlap(source, destination)
        if not destination.real.parent.is_dir():
            raise NotFound(f"Destination path {self._access.parent(destination).path} does not exist.")
        if os.path.lexists(destination.real) and destination.real.is_dir() != source.real.is_dir():
            raise BadRequest(f"A file and a folder cannot replace each other: {source.path}, {destination.path}.")
        return destination

    def _carried(self, source: Target, destination: Target, event: str) -> Changed:
        told = f"Moved from {source.path} to {destination.path}"
        with self._intended(source.user, source.real, destination.real, event=event, told=told) as intent:
            if destination.real.is_dir():
                self._disk.remove(destination.real)  # a move replaces; only a copy merges
            _rename(source.real, destination.real)
            self._settle(intent)
        return destination, self._records.touch(destination.real, destination.user)

    # Disk and records change one after the other; a tenant that dies in between has to know of it

    @contextlib.contextmanager
    def _intended(self, user: str, source: Path, destination: Path | None = None, **event: str) -> Iterator[Intent]:
        """Keep what is about to happen on disk until it is settled, or has failed."""
        intent: Intent = {
            "id": new_uuid("002"),
            "user": user,
            "source": self._records.key_of(source),
            "destination": self._records.key_of(destination) if destination else None,
            "inode": _inode(source),
            "replaces": destination is not None and destination.is_dir(),
            **event,
        }
        self._store.put(_INTENT, intent["id"], intent, updated=0)
        try:
            yield intent
        except BaseException:
            self._store.delete(_INTENT, intent["id"])
            raise

    def _settle(self, intent: Intent) -> None:
        """Note in the records what has happened on disk."""
        source = self._records.place_of(intent["source"])
        with self._store.transaction():
            self._store.delete(_INTENT, intent["id"])
            if intent["destination"] is None:
                self._records.mark_deleted(source, intent["user"])
                return
            destination = self._records.place_of(intent["destination"])
            self._records.carry(source, destination)
            self._records.note(destination, intent["user"], intent["event"], intent["told"], deleted=False)

    def finish_interrupted(self) -> None:
        """Bring to an end what an earlier tenant on this root was about when it died."""
        for intent in list(self._store.all(_INTENT)):
            if self._has_happened(intent):
                self._settle(intent)
            else:
                self._store.delete(_INTENT, intent["id"])

    def _has_happened(self, intent: Intent) -> bool:
        source = self._records.place_of(intent["source"])
        if intent["destination"] is None:
            return _inode(source) is None
        destination = self._records.place_of(intent["destination"])
        if intent["replaces"] and _inode(source) == intent["inode"] and _inode(destination) is None:
            _rename(source, destination)  # what was there is gone already
        return bool(_inode(destination) == intent["inode"])


def require_there(target: Target) -> None:
    """:raises NotFound: there is no such item; a link that leads nowhere is one."""
    if not os.path.lexists(target.real):
        raise NotFound(f"File/folder does not exist: {target.path}")


def arrival(target: Target) -> str:
    """Return what writing the item will be in its history."""
    return "OVERWRITTEN" if target.real.exists() else "CREATED"


def _rename(source: Path, destination: Path) -> None:
    os.rename(source, destination)
    for folder in {source.parent, destination.parent}:
        durable.sync(folder)


def _inode(place: Path) -> int | None:
    """Return what an item keeps when it gets another name; None when there is none."""
    try:
        return place.lstat().st_ino
    except (FileNotFoundError, NotADirectoryError):
        return None


def _refuse_overlap(source: Target, destination: Target) -> None:
    if destination.real == source.real:
        raise BadRequest(f"Source and destination are the same: {source.path}.")
    if source.real in destination.real.parents or destination.real in source.real.parents:
        raise BadRequest(f"{source.path} and {destination.path} lie in each other.")
