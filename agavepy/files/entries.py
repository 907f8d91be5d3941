"""What a folder holds, as a server tells it; nothing of that is believed unseen."""

from __future__ import annotations

import collections
import datetime
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..errors import AgaveError, AgaveHTTPError
from ..records import AttrDict
from . import addresses
from .addresses import Address

LONGEST_PATH = 8192  # characters; no file system has longer ones
_SAME_LISTINGS = 10  # along one path: nobody nests the very same folder so often


class Entry(NamedTuple):
    """One item of a folder."""

    name: str
    is_folder: bool
    size_bytes: int | None  # None: the server says nothing that could be true
    modified: datetime.datetime | None
    record: AttrDict


class Place(NamedTuple):
    """An item found on the way through a tree."""

    address: Address
    names: tuple[str, ...]  # from the top of the tree
    entry: Entry


def listed(ag: Any, address: Address, *, page_size: int = 250) -> Iterator[Entry]:
    """
    Yield what a folder holds, or the file itself, page by page.

    :raises AgaveHTTPError: there is no such place, or it is not the caller's to read.
    :raises AgaveError: the server lists what cannot be a name.
    """
    for record in ag.files.list.iterate(page_size=page_size, **address.keywords):
        if not _is_the_folder(record):
            yield _entry(record, address)


def find(ag: Any, address: Address) -> Entry | None:
    """Return what is at an address; None: nothing."""
    try:
        return at(ag, address)
    except AgaveHTTPError as error:
        if error.status_code == 404:
            return None
        raise


def at(ag: Any, address: Address) -> Entry:
    """
    Return what is at an address.

    :raises AgaveHTTPError: nothing is (404), or it is not the caller's to know.
    """
    return _itself(ag.files.list(limit=1, **address.keywords), address)


def look(ag: Any, address: Address) -> tuple[Entry, list[Entry]]:
    """Return what is at an address, and what it holds if it is a folder; errors as of :func:`at`."""
    records = list(ag.files.list.iterate(**address.keywords))
    itself = _itself(records, address)
    held = [_entry(record, address) for record in records if itself.is_folder and not _is_the_folder(record)]
    return itself, held


def _itself(records: list[Any], address: Address) -> Entry:
    """Return the item that a listing is of; the first of the records is the item, if the server lists it."""
    if records and not _is_the_folder(records[0]):
        entry = _entry(records[0], address)
        if not entry.is_folder and entry.name == address.name:
            return entry
    facts = records[0] if records else AttrDict()
    return Entry(address.name, True, None, modified(facts), facts)


def walk(ag: Any, address: Address, *, names: tuple[str, ...] = ()) -> Iterator[tuple[Place, list[Entry]]]:
    """
    Yield each folder of a tree with what it holds, from the top; the caller may take folders out of the list.

    :raises AgaveError: the tree has no end.
    """
    top = Place(address, names, Entry(address.name, True, None, None, AttrDict()))
    ahead: list[tuple[Place, tuple[int, ...]]] = [(top, ())]
    while ahead:
        place, above = ahead.pop()
        held = list(listed(ag, place.address))
        seen = (*above, _fingerprint(held))
        _refuse_endless(place, seen)
        yield place, held
        folders = (entry for entry in reversed(held) if entry.is_folder)
        ahead += [(Place(place.address.child(each.name), (*place.names, each.name), each), seen) for each in folders]


def walk_names(ag: Any, path: str | os.PathLike[str]) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield address, names of folders and names of files of each folder of a tree, as :func:`os.walk` does."""
    for place, held in walk(ag, addresses.parse(path)):
        folders = [entry.name for entry in held if entry.is_folder]
        yield str(place.address), folders, [entry.name for entry in held if not entry.is_folder]
        held[:] = [entry for entry in held if entry.name in folders]


def _refuse_endless(place: Place, seen: tuple[int, ...]) -> None:
    most = collections.Counter(seen).most_common(1)[0][1]
    if len(place.address.path) > LONGEST_PATH or (most >= _SAME_LISTINGS and seen[-1] != _EMPTY):
        raise AgaveError(f"{_brief(str(place.address))}: the folders go round in a circle, or deeper than any can.")


def _fingerprint(held: list[Entry]) -> int:
    return hash(tuple((each.name, each.is_folder, each.size_bytes, each.modified) for each in held))


_EMPTY = _fingerprint([])


def _is_the_folder(record: Any) -> bool:
    return isinstance(record, AttrDict) and record.get("name") == "."


def _entry(record: Any, folder: Address) -> Entry:
    name = record.get("name") if isinstance(record, AttrDict) else None
    if not isinstance(name, str) or not name or name in (".", "..") or "/" in name or "\0" in name:
        raise AgaveError(f"files.list of {folder} answered {_brief(repr(name))}, which cannot be a name.")
    size = record.get("length")
    is_size = isinstance(size, int) and not isinstance(size, bool) and size >= 0
    return Entry(name, record.get("type") == "dir", size if is_size else None, modified(record), record)


def modified(record: AttrDict) -> datetime.datetime | None:
    """Return the date of an item as the server tells it, or None."""
    moment = record.get("lastModified")
    return moment if isinstance(moment, datetime.datetime) else None


def _brief(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:117]}…"
