"""How files, their histories and their permissions look to the caller."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .. import media
from ..api import Call
from ..clock import iso
from ..file_access import Target
from ..file_records import Record
from ..pems import WORDS, acl


def address(target: Target) -> str:
    """Return system and quoted path as they stand in URLs; two slashes between them: from rootDir."""
    return f"{target.system['id']}/{quote(os.fsencode(target.path))}"


def entry(target: Target, facts: os.stat_result, rights: int, call: Call) -> dict[str, Any]:
    """Return the item as listings show it."""
    folder = stat.S_ISDIR(facts.st_mode)
    return {
        "name": target.name,
        "path": target.path,
        "lastModified": iso(facts.st_mtime),
        "length": facts.st_size,
        "permissions": WORDS[rights],
        "format": "folder" if folder else "raw",
        "system": target.system["id"],
        "mimeType": media.FOLDER if folder else media.type_of(target.name),
        "type": "dir" if folder else "file",
        "_links": {
            "self": call.link(f"files/v2/media/system/{address(target)}"),
            "system": call.link(f"systems/v2/{target.system['id']}"),
        },
    }


def told(target: Target, record: Record, rights: int, call: Call) -> dict[str, Any]:
    """Return all there is to say of an item, for those who are notified of an event of it."""
    tracked = logical_file(target, record, call)
    try:
        return {**entry(target, target.real.stat(), rights, call), **tracked}
    except OSError:
        return tracked  # it is gone


def logical_file(
    target: Target,
    record: Record,
    call: Call,
    *,
    notifications: Iterable[dict[str, Any]] = (),
    facts: os.stat_result | None = None,
) -> dict[str, Any]:
    """
    Return the item as the service keeps track of it: what writing operations answer.

    :param facts: what the disk says of it; None: it is asked.
    """
    facts = facts or facts_of(target.real)
    return {
        "name": target.name,
        "uuid": record["uuid"],
        "owner": record["owner"],
        "internalUsername": None,
        "lastModified": iso(facts.st_mtime if facts else record["created"]),
        "source": record["source"],
        "path": target.path,
        "status": record["status"],
        "systemId": target.system["id"],
        "nativeFormat": "folder" if facts and stat.S_ISDIR(facts.st_mode) else "raw",
        "_links": {
            "self": call.link(f"files/v2/media/system/{address(target)}"),
            "system": call.link(f"systems/v2/{target.system['id']}"),
            "profile": call.link(f"profiles/v2/{quote(record['owner'], safe='')}"),
            "history": call.link(f"files/v2/history/system/{address(target)}"),
            "notification": [call.link(f"notifications/v2/{each['id']}") for each in notifications],
        },
    }


def facts_of(real: Path) -> os.stat_result | None:
    """Return what the disk says of a place; None: nothing is there."""
    try:
        return real.stat()
    except OSError:
        return None  # not there yet, or gone again


def event(found: dict[str, Any]) -> dict[str, Any]:
    """Return one line of a history."""
    return {
        "status": found["status"],
        "created": iso(found["created"]),
        "createdBy": found["created_by"],
        "description": found["description"],
    }


def permission(target: Target, pem: dict[str, Any], call: Call) -> dict[str, Any]:
    """Return what one user may do, from his username, permission word and whether it is recursive."""
    username = quote(pem["username"], safe="")
    return {
        "username": pem["username"],
        "internalUsername": None,
        "permission": acl(pem["permission"]),
        "recursive": pem["recursive"],
        "_links": {
            "self": call.link(f"files/v2/pems/system/{address(target)}?username.eq={username}"),
            "file": call.link(f"files/v2/media/system/{address(target)}"),
            "profile": call.link(f"profiles/v2/{username}"),
        },
    }
