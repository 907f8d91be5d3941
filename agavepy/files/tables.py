"""Listings, permissions and histories as a person at the terminal reads them."""

from __future__ import annotations

import datetime
import os
import shutil
import sys
from collections.abc import Iterator
from typing import Any

from .. import prompts
from ..errors import AgaveError, nearest
from ..records import AttrDict
from . import addresses, entries

PERMISSIONS = ("READ", "WRITE", "EXECUTE", "READ_WRITE", "READ_EXECUTE", "WRITE_EXECUTE", "ALL", "NONE")
_LETTERS = {"READ": "r", "WRITE": "w", "EXECUTE": "x"}


def show_listing(ag: Any, path: str | os.PathLike[str], *, long_format: bool = False) -> list[AttrDict]:
    """Print what a folder holds, sorted by name; return the records."""
    address = addresses.parse(path)
    records = list(ag.files.list.iterate(**address.keywords))
    records.sort(key=lambda record: (record.get("name") != ".", str(record.get("name")).lower()))
    for line in _long(records) if long_format else _columns([_shown(record) for record in records]):
        print(line)
    return records


def show_permissions(ag: Any, path: str | os.PathLike[str]) -> list[AttrDict]:
    """Print who may do what with a file or folder; return the records."""
    found = list(ag.files.listPermissions.iterate(**addresses.parse(path).keywords))
    prompts.print_table(
        ("USER", "READ", "WRITE", "EXEC"), ([each.get("username"), *_yes_or_no(each)] for each in found)
    )
    return found


def update_permissions(
    ag: Any, path: str | os.PathLike[str], username: str, perms: str, *, recursive: bool = False
) -> None:
    """
    Give a user a permission on a file or folder; NONE takes it away.

    :raises AgaveError: there is no such permission.
    """
    word = str(perms).upper()
    if word not in PERMISSIONS:
        raise AgaveError(f"perms={perms!r}: one of {', '.join(PERMISSIONS)}.{nearest(word, PERMISSIONS)}")
    body = {"username": username, "permission": word, "recursive": bool(recursive)}
    ag.files.updatePermissions(body=body, **addresses.parse(path).keywords)


def show_history(ag: Any, path: str | os.PathLike[str]) -> list[AttrDict]:
    """Print what happened to a file or folder, the oldest first; return the records."""
    found = list(ag.files.getHistory.iterate(**addresses.parse(path).keywords))
    header = ("USER", "EVENT", "DATE", "DESCRIPTION")
    prompts.print_table(header, (_event(each) for each in found))
    return found


def _event(record: AttrDict) -> list[Any]:
    moment = record.get("created")
    date = moment.isoformat(timespec="milliseconds") if isinstance(moment, datetime.datetime) else moment
    return [record.get("createdBy"), record.get("status"), date, record.get("description")]


def _yes_or_no(record: AttrDict) -> list[str]:
    permission = record.get("permission")
    rights = permission if isinstance(permission, dict) else {}
    return ["yes" if rights.get(right) else "no" for right in ("read", "write", "execute")]


def _shown(record: AttrDict) -> str:
    name = str(record.get("name"))
    visible = "".join(letter if letter.isprintable() else "?" for letter in name)  # a name may hold a terminal's orders
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return visible.encode(encoding, "replace").decode(encoding) + ("/" if record.get("type") == "dir" else "")


def _columns(names: list[str]) -> Iterator[str]:
    """Yield lines of as many columns as the terminal has room for, filled from left to right."""
    if not names:
        return
    width = max(map(len, names)) + 2
    count = max(1, shutil.get_terminal_size().columns // width)
    for start in range(0, len(names), count):
        yield "".join(name.ljust(width) for name in names[start : start + count]).rstrip()


def _long(records: list[AttrDict]) -> Iterator[str]:
    sizes = [str(record.get("length", "")) for record in records]
    width = max(map(len, sizes), default=0)
    for record, size in zip(records, sizes, strict=True):
        yield f"{_mode(record)} {size:>{width}} {_date(record)} {_shown(record)}"


def _mode(record: AttrDict) -> str:
    words = str(record.get("permissions")).split("_")
    rights = set(_LETTERS) if words[0] in ("ALL", "OWNER") else set(words)
    letters = (letter if word in rights else "-" for word, letter in _LETTERS.items())
    return ("d" if record.get("type") == "dir" else "-") + "".join(letters)


def _date(record: AttrDict) -> str:
    moment = entries.modified(record)
    moment = moment and moment.astimezone()
    return f"{moment:%b} {moment.day:>2} {moment:%H:%M}" if moment else " " * 12
