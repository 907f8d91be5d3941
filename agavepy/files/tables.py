"""Listings, permissions and histories as a person at the terminal reads them."""

from __future__ import annotations

import datetime
import os
import shutil
import sys
import unicodedata
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
    records = list(entries.records(ag.files.list, address))
    records.sort(key=lambda record: (record.get("name") != ".", str(record.get("name")).lower()))
    for line in _long(records) if long_format else _columns([_shown(record) for record in records]):
        print(line)
    return records


def show_permissions(ag: Any, path: str | os.PathLike[str]) -> list[AttrDict]:
    """Print who may do what with a file or folder; return the records."""
    found = list(entries.records(ag.files.listPermissions, addresses.parse(path)))
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
    found = list(entries.records(ag.files.getHistory, addresses.parse(path)))
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
    widths = [_width(name) for name in names]
    width = max(widths) + 2
    count = max(1, shutil.get_terminal_size().columns // width)
    cells = list(zip(names, widths, strict=True))
    for start in range(0, len(names), count):
        yield "".join(name + " " * (width - own) for name, own in cells[start : start + count]).rstrip()


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes: letters of East Asia two, accents of their own none."""
    if text.isascii():
        return len(text)
    return sum(
        2 if unicodedata.east_asian_width(letter) in "WF" else not unicodedata.combining(letter) for letter in text
    )


def _long(records: list[AttrDict]) -> Iterator[str]:
    sizes = [str(length) if isinstance(length := record.get("length"), int) else "" for record in records]
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
    try:
        moment = moment and moment.astimezone()
    except (OverflowError, OSError):  # in the year 1 or 9999; before 1970 on Windows
        moment = None
    return f"{moment:%b} {moment.day:>2} {moment:%H:%M}" if moment else " " * 12
