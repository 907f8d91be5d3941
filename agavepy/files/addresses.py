"""Addresses of files: ``system-id/path``, or ``agave://system-id/path``; names in them are literal."""

from __future__ import annotations

import os
import pathlib
import urllib.parse
from typing import NamedTuple

from ..errors import AgaveError, UnsafePath

SCHEME = "agave://"


class Address(NamedTuple):
    """One place on a system; ``path`` is not quoted, and counts from the system's root if it begins with a slash."""

    system: str
    path: str = ""
    is_folder: bool = False  # it was written with a slash at its end

    def __str__(self) -> str:
        return f"{self.system}/{self.path}"

    @property
    def name(self) -> str:
        """Return the last name of the path; empty for the home folder and the root."""
        return self.path.rpartition("/")[2]

    @property
    def folder(self) -> Address:
        """Return the folder that holds it."""
        above, slash, _ = self.path.rpartition("/")
        return Address(self.system, above or slash)

    @property
    def is_top(self) -> bool:
        """Tell whether it is the home folder or the root, which has no name."""
        return not self.name

    def child(self, name: str) -> Address:
        """Return the place of that name in this folder."""
        return Address(self.system, f"{self.path.rstrip('/')}/{name}" if self.path else name)

    @property
    def keywords(self) -> dict[str, str]:
        """Return ``systemId`` and ``filePath`` for an operation, quoted so that every character is a name's own."""
        return {"systemId": _quoted(self.system), "filePath": "/".join(map(_quoted, self.path.split("/")))}


def parse(text: str | os.PathLike[str]) -> Address:
    """
    Return the address that a text stands for.

    One slash after the system counts from its home folder, two from its root.

    :raises AgaveError: it names no system.
    :raises UnsafePath: a name in it is ``.`` or ``..``.
    """
    given = text.as_posix() if isinstance(text, pathlib.PurePath) else os.fspath(text)
    if not isinstance(given, str):
        raise TypeError(f"{given!r}: an address is text: 'system-id/path'.")
    plain = given.removeprefix(SCHEME) if given.startswith(SCHEME) else given.lstrip("/")
    system, _, path = plain.partition("/")
    if not system:
        raise AgaveError(f"{given!r} names no system: write 'system-id/path'.")
    names = [name for name in path.split("/") if name]
    if {".", ".."}.intersection([system, *names]):
        raise UnsafePath(f"{given!r}: '.' and '..' would name another target; write the path without them.")
    root = "/" if path.startswith("/") else ""
    return Address(system, root + "/".join(names), is_folder=not names or path.endswith("/"))


def _quoted(name: str) -> str:
    # surrogateescape: names that are not UTF-8 on disk come from os.listdir that way.
    return urllib.parse.quote(name, safe="", errors="surrogateescape")
