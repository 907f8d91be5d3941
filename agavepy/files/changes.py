"""What is done to files where they are: copied, moved, deleted; folders made."""

from __future__ import annotations

import os
from typing import Any

from ..errors import AgaveError
from . import addresses, imports
from .addresses import Address


def copy(ag: Any, source: str | os.PathLike[str], destination: str | os.PathLike[str]) -> None:
    """Copy a file or folder; to another system it is imported there, and this returns when it is."""
    here, there = addresses.parse(source), addresses.parse(destination)
    if here.system == there.system:
        _manage(ag, here, action="copy", path=_path(here, there))
    else:
        imports.bring(ag, f"agave://{here}", there, wait=True)


def move(ag: Any, source: str | os.PathLike[str], destination: str | os.PathLike[str]) -> None:
    """
    Move a file or folder within its system.

    :raises AgaveError: the destination is on another system.
    """
    here, there = addresses.parse(source), addresses.parse(destination)
    if here.system != there.system:
        raise AgaveError(f"{here} cannot be moved to another system: files_copy() it there, then files_delete() it.")
    _manage(ag, here, action="move", path=_path(here, there))


def _path(source: Address, destination: Address) -> str:
    """Return the path of the new item: into a folder that is written as one, under the name it has."""
    return destination.child(source.name).path if destination.is_folder else destination.path


def delete(ag: Any, path: str | os.PathLike[str]) -> None:
    """
    Delete a file, or a folder with all that is in it.

    :raises AgaveError: it is the home folder or the root of a system.
    """
    address = addresses.parse(path)
    if address.is_top:
        raise AgaveError(f"{address} is a whole system, not a file or folder on it: it is not deleted.")
    ag.files.delete(**address.keywords)


def make_folder(ag: Any, address: Address) -> None:
    """Make a folder and those above it that are missing; one that is there stays as it is."""
    if not address.is_top:
        top = Address(address.system, "/" if address.path.startswith("/") else "")
        _manage(ag, top, action="mkdir", path=address.path.strip("/"))


def _manage(ag: Any, address: Address, *, action: str, path: str) -> None:
    ag.files.manage(body={"action": action, "path": path}, **address.keywords)
