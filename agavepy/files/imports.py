"""Files that a server fetches by itself, from another system or from the web."""

from __future__ import annotations

import os
import time
import urllib.parse
from typing import Any

from ..errors import AgaveError, AgaveHTTPError
from ..records import AttrDict
from . import addresses, changes, entries
from .addresses import Address

_LONGEST_PAUSE_S = 5.0


def import_file(
    ag: Any,
    source: str,
    destination: str | os.PathLike[str],
    *,
    wait: bool = False,
    timeout_s: float | None = None,
) -> None:
    """Have a file fetched; see :meth:`agavepy.agave.Agave.files_import`."""
    bring(ag, source, addresses.parse(destination), wait=wait, timeout_s=timeout_s)


def bring(ag: Any, source: str, target: Address, *, wait: bool, timeout_s: float | None = None) -> None:
    """
    Have a system fetch a file or folder from an address.

    :param source: ``agave://system-id/path``, or an http, https, ftp or sftp address.
    :param target: the new file; a folder that is there, or is written with a slash at its end, takes it in.
    :param wait: return only when it is there.
    :raises AgaveError: it failed, or not in time; the text has the server's reason.
    """
    url, name = _url(source)
    folder, name = _place(ag, target, name)
    place = folder.child(name)
    before = len(_history(ag, place)) if wait else 0
    ag.files.importData(urlToIngest=url, fileName=name, **folder.keywords)
    if wait:
        _follow(ag, place, before, timeout_s)


def _url(source: str) -> tuple[str, str]:
    """Return the address as servers read it, and the name of what is there."""
    if source.startswith("agave://"):
        address = addresses.parse(source)
        system, path = address.keywords["systemId"], address.keywords["filePath"]
        return f"agave://{system}/{path}", address.name
    parts = urllib.parse.urlsplit(source)
    if not parts.scheme or not parts.netloc:
        raise AgaveError(f"{source!r} cannot be imported: write agave://system-id/path, or an address of the web.")
    return source, urllib.parse.unquote(parts.path.rstrip("/").rpartition("/")[2])


def _place(ag: Any, target: Address, name: str) -> tuple[Address, str]:
    there = entries.find(ag, target)
    if there is None and target.is_folder:
        changes.make_folder(ag, target)
    if target.is_folder or (there is not None and there.is_folder):
        return target, name or "unknown"
    return target.folder, target.name


def _follow(ag: Any, place: Address, before: int, timeout_s: float | None) -> None:
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    pause_s = 0.05
    while True:
        outcome = _outcome(_history(ag, place)[before:])
        if outcome is not None and "FAILED" in str(outcome.status):
            raise AgaveError(f"{place} was not imported: {outcome.get('description')}")
        if outcome is not None:
            return
        if deadline is not None and time.monotonic() > deadline:
            raise AgaveError(f"{place} is not there after {timeout_s:g} s; the server may still be at it.")
        ag._transport().wait(pause_s)
        pause_s = min(1.5 * pause_s, _LONGEST_PAUSE_S)


def _outcome(events: list[AttrDict]) -> AttrDict | None:
    words = ("COMPLETE", "FINISHED", "FAILED")
    return next((each for each in events if any(word in str(each.get("status")) for word in words)), None)


def _history(ag: Any, place: Address) -> list[AttrDict]:
    try:
        return list(entries.records(ag.files.getHistory, place))
    except AgaveHTTPError as error:
        if error.status_code == 404:  # nothing happened there yet
            return []
        raise
