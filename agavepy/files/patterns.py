"""Globs: which names of a tree are meant."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..errors import AgaveError
from . import addresses, entries
from .addresses import Address

_MAGIC = re.compile(r"[*?[]")


class Choice:
    """
    Which files of a tree are meant.

    A pattern without a slash is compared with names, any other with paths from the top of the tree: ``*`` and ``?``
    stay within a name, ``**`` stands for any number of folders.

    :param include: globs of files; none: all.
    :param exclude: globs of files and folders to leave out.
    """

    def __init__(self, include: str | Iterable[str] | None = None, exclude: str | Iterable[str] | None = None) -> None:
        self._include, self._exclude = _several(include), _several(exclude)

    def has_file(self, names: Sequence[str]) -> bool:
        """Tell whether the file at that path is meant."""
        return (not self._include or _matches(self._include, names)) and not _matches(self._exclude, names)

    def has_folder(self, names: Sequence[str]) -> bool:
        """Tell whether what is in the folder at that path may be meant."""
        return not _matches(self._exclude, names)

    @property
    def has_all(self) -> bool:
        """Tell whether every file is meant, so that empty folders are too."""
        return not self._include


def glob(ag: Any, pattern: str) -> list[str]:
    """
    Return the addresses that match ``system-id/path`` with ``*``, ``?``, ``[…]`` and ``**``, sorted.

    As for a shell, a leading dot has to be written out.

    >>> glob(ag, "data/reads/*.fastq")
    """
    address = addresses.parse(pattern)
    names = [name for name in address.path.split("/") if name]
    top = Address(address.system, "/" if address.path.startswith("/") else "")
    return sorted({str(found) for found in _found(ag, top, names)})


def escape(name: str) -> str:
    """Return a pattern that matches this very name."""
    return _MAGIC.sub(lambda found: f"[{found.group()}]", name)


def _found(ag: Any, folder: Address, pattern: list[str]) -> Iterator[Address]:
    if not pattern:
        yield folder
    elif pattern[0] == "**":
        yield from _below(ag, folder, pattern[1:])
    elif _MAGIC.search(pattern[0]):
        yield from _matching(ag, folder, pattern)
    else:
        yield from _plain(ag, folder, pattern)


def _plain(ag: Any, folder: Address, pattern: list[str]) -> Iterator[Address]:
    child = folder.child(pattern[0])
    if len(pattern) > 1:
        yield from _found(ag, child, pattern[1:])
    elif entries.find(ag, child):
        yield child


def _matching(ag: Any, folder: Address, pattern: list[str]) -> Iterator[Address]:
    found = entries.find(ag, folder)
    if found is None or not found.is_folder:
        return
    for entry in entries.listed(ag, folder):
        if _is_match(pattern[0], entry.name) and (len(pattern) == 1 or entry.is_folder):
            yield from _found(ag, folder.child(entry.name), pattern[1:])


def _below(ag: Any, top: Address, rest: list[str]) -> Iterator[Address]:
    found = entries.find(ag, top)
    if found is None or not found.is_folder:
        return
    wanted = rest or ["*"]
    for place, held in entries.walk(ag, top):
        held[:] = [entry for entry in held if not entry.name.startswith(".")]
        if len(wanted) == 1:
            yield from (place.address.child(entry.name) for entry in held if _is_match(wanted[0], entry.name))
        else:
            yield from _found(ag, place.address, wanted)


def _is_match(pattern: str, name: str) -> bool:
    if name.startswith(".") and not pattern.startswith("."):
        return False
    return _expression(pattern).fullmatch(name) is not None


def _matches(patterns: Sequence[str], names: Sequence[str]) -> bool:
    path = "/".join(names)
    return any(_expression(each).fullmatch(path if "/" in each.strip("/") else names[-1]) for each in patterns)


@functools.lru_cache(maxsize=512)
def _expression(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile("".join(_translated(pattern.strip("/"))), re.DOTALL)
    except re.error as error:
        raise AgaveError(f"The pattern {pattern!r} is none: {error}.") from None


def _translated(pattern: str) -> Iterator[str]:
    wildcards = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    for piece in re.findall(r"\*\*/|\*\*|\*|\?|\[[!^]?\]?[^\]]*\]|.", pattern, re.DOTALL):
        yield wildcards.get(piece) or (_bracket(piece) if len(piece) > 1 else re.escape(piece))


def _bracket(piece: str) -> str:
    inner = piece[1:-1]
    negation = "^" if inner[:1] in ("!", "^") else ""
    escaped = re.sub(r"([]\\[^&~|])", r"\\\1", inner[len(negation) :])
    return f"[{negation}{escaped}]"


def _several(given: str | Iterable[str] | None) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given or ())
