"""What a folder holds, as a server tells it; nothing of that is believed unseen."""

from __future__ import annotations

import collections
import contextlib
import datetime
import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ..errors import AgaveError, AgaveHTTPError
from ..records import AttrDict
from . import addresses
from .addresses import Address
from .names import LONGEST_PATH, brief, is_possible

MOST_ITEMS = 1_000_000  # of one folder; a server that lists more is taken to have no end
_SAME_LISTINGS = 10  # along one path: nobody nests the very same folder so often


Noted = Callable[[str], contextlib.AbstractContextManager[Any]]  # address → what is done with errors there
_unnoted: Noted = contextlib.nullcontext


class Entry(NamedTuple):
    """One item of a folder."""

    name: str
    is_folder: bool
    size_bytes: int | None  # None: the server says nothing that could be true
    modified: datetime.datetime | None
    permissions: Any  # the caller's, in the server's word; None: it says nothing


class Place(NamedTuple):
    """An item found on the way through a tree."""

    address: Address
    names: tuple[str, ...]  # from the top of the tree
    entry: Entry


def records(operation: Any, address: Address, *, limit: int | None = None) -> Iterator[AttrDict]:
    """
    Yield the records of all pages that an operation has for a place.

    :param operation: ``ag.files.list``, or another that has pages.
    :raises AgaveHTTPError: there is no such place, or it is not the caller's to read.
    :raises AgaveError: the server answers with something else, or without end.
    """
    for number, record in enumerate(operation.iterate(limit=limit, **address.keywords)):
        if not isinstance(record, AttrDict):
            raise AgaveError(f"{operation.spec.name} of {address}: {brief(repr(record))} in place of a record.")
        if number >= MOST_ITEMS:
            raise AgaveError(
                f"{operation.spec.name} of {address}: more than {MOST_ITEMS:,} records, which may have no end."
                f" To read them all the same: ag.{operation.spec.name}.iterate(…)."
            )
        yield record


def listed(ag: Any, address: Address) -> Iterator[Entry]:
    """
    Yield what a folder holds, or the file itself, page by page; errors as of :func:`records`.

    :raises AgaveError: the server lists what cannot be a name.
    """
    for record in records(ag.files.list, address):
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
    return _itself(list(records(ag.files.list, address, limit=1)), address)


def look(ag: Any, address: Address) -> tuple[Entry, list[Entry]]:
    """Return what is at an address, and what it holds if it is a folder; errors as of :func:`at`."""
    found = list(records(ag.files.list, address))
    itself = _itself(found, address)
    held = [_entry(record, address) for record in found if itself.is_folder and not _is_the_folder(record)]
    return itself, held


def _itself(found: list[AttrDict], address: Address) -> Entry:
    """Return the item that a listing is of; the first of the records is the item, if the server lists it."""
    if found and not _is_the_folder(found[0]):
        entry = _entry(found[0], address)
        if not entry.is_folder and entry.name == address.name:
            return entry
    facts = found[0] if found else AttrDict()
    return Entry(address.name, True, None, modified(facts), facts.get("permissions"))


def walk(ag: Any, address: Address, *, noted: Noted = _unnoted) -> Iterator[tuple[Place, list[Entry]]]:
    """
    Yield each folder of a tree with what it holds, from the top; the caller may take folders out of the list.

    :param noted: takes the errors of listing the folders below the top; a folder whose error it swallows is left out.
    :raises AgaveError: the tree has no end.
    """
    top = Place(address, (), Entry(address.name, True, None, None, None))
    ahead: list[tuple[Place, tuple[int, ...]]] = [(top, ())]
    while ahead:
        place, above = ahead.pop()
        held = _held(ag, place, noted)
        if held is None:
            continue
        seen = (*above, _fingerprint(held))
        _refuse_endless(place, seen)
        yield place, held
        folders = (entry for entry in reversed(held) if entry.is_folder)
        ahead += [(Place(place.address.child(each.name), (*place.names, each.name), each), seen) for each in folders]


def _held(ag: Any, place: Place, noted: Noted) -> list[Entry] | None:
    if not place.names:
        return list(listed(ag, place.address))
    with noted(str(place.address)):
        return list(listed(ag, place.address))
    return None


def walk_names(
    ag: Any, path: str | os.PathLike[str], *, onerror: Callable[[AgaveHTTPError], Any] | None = None
) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield address, names of folders and names of files of each folder of a tree, as :func:`os.walk` does."""

    @contextlib.contextmanager
    def told(_: str) -> Iterator[None]:
        try:
            yield
        except AgaveHTTPError as error:
            if onerror is None:
                raise
            onerror(error)

    for place, held in walk(ag, addresses.parse(path), noted=told):
        folders = [entry.name for entry in held if entry.is_folder]
        yield str(place.address), folders, [entry.name for entry in held if not entry.is_folder]
        held[:] = [entry for entry in held if entry.name in folders]


def _refuse_endless(place: Place, seen: tuple[int, ...]) -> None:
    most = collections.Counter(seen).most_common(1)[0][1]
    if len(place.address.path) > LONGEST_PATH or (most >= _SAME_LISTINGS and seen[-1] != _EMPTY):
        raise AgaveError(
            f"{brief(str(place.address))}: the folders go round in a circle, or deeper than any can."
            " Leave the one that begins it out (exclude=…)."
        )


def _fingerprint(held: list[Entry]) -> int:
    return hash(tuple((each.name, each.is_folder, each.size_bytes, each.modified) for each in held))


_EMPTY = _fingerprint([])


def _is_the_folder(record: AttrDict) -> bool:
    return bool(record.get("name") == ".")


def _entry(record: AttrDict, folder: Address) -> Entry:
    name = record.get("name")
    if not is_possible(name):
        raise AgaveError(f"files.list of {folder} answered {brief(repr(name))}, which cannot be a name.")
    size = record.get("length")
    is_size = isinstance(size, int) and not isinstance(size, bool) and size >= 0
    permissions = record.get("permissions")
    return Entry(name, record.get("type") == "dir", size if is_size else None, modified(record), permissions)


def modified(record: AttrDict) -> datetime.datetime | None:
    """Return the date of an item as the server tells it, or None."""
    moment = record.get("lastModified")
    return moment if isinstance(moment, datetime.datetime) else None
