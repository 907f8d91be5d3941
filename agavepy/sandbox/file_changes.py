"""What changes on disk and in the records when folders are made and items moved, copied or deleted."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import Any

from . import durable
from .api import BadRequest, NotFound
from .disk import Disk
from .file_access import FileAccess, Target
from .file_records import FileRecords, Record
from .pems import READ, WRITE
from .store import Store

Changed = tuple[Target, Record]


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
        _rename(target, renamed)
        return self._carried(target, renamed, "RENAME")

    def move(self, target: Target, path: str) -> Changed:
        """Move an item to a path; what is there is replaced."""
        self._require_movable(target)
        destination = self._destination(target, path)
        if destination.real.is_dir():
            self._access.require_tree(destination, WRITE)
            self._disk.remove(destination.real)  # a move replaces; only a copy merges
        _rename(target, destination)
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
        try:
            self._disk.remove(target.real)
            durable.sync(target.real.parent)
        except (FileNotFoundError, NotADirectoryError):
            # What the tenant knows of may have gone by another way, a job's for instance: then it is forgotten.
            if record is None or record["deleted"]:
                raise NotFound(f"Remote path {target.path} does not exist.") from None
        self._records.mark_deleted(target.real, target.user)

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
        with self._store.transaction():
            self._records.carry(source.real, destination.real)
            record = self.note(destination, event, f"Moved from {source.path} to {destination.path}")
        return destination, record


def require_there(target: Target) -> None:
    """:raises NotFound: there is no such item; a link that leads nowhere is one."""
    if not os.path.lexists(target.real):
        raise NotFound(f"File/folder does not exist: {target.path}")


def arrival(target: Target) -> str:
    """Return what writing the item will be in its history."""
    return "OVERWRITTEN" if target.real.exists() else "CREATED"


def _rename(source: Target, destination: Target) -> None:
    os.rename(source.real, destination.real)
    for folder in {source.real.parent, destination.real.parent}:
        durable.sync(folder)


def _refuse_overlap(source: Target, destination: Target) -> None:
    if destination.real == source.real:
        raise BadRequest(f"Source and destination are the same: {source.path}.")
    if source.real in destination.real.parents or destination.real in source.real.parents:
        raise BadRequest(f"{source.path} and {destination.path} lie in each other.")
