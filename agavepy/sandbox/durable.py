"""Files and folders that are on the disk itself, so that what an answer has acknowledged survives a power cut."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import IO


def sync(place: Path) -> None:
    """Write a file's bytes, or the names in a folder, to the disk."""
    handle = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def begin_sync(file: IO[bytes], start: int, size_bytes: int) -> None:
    """Have the system begin to write a part of an open file to the disk; :func:`sync` then has less to wait for."""
    # Pages that are not on the disk yet are not dropped: Linux begins to write them.
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), start, size_bytes, os.POSIX_FADV_DONTNEED)


def replace(arrived: Path, destination: Path) -> None:
    """Move a whole file into place: after a power cut there is the old one or the new one, and nothing between."""
    sync(arrived)
    os.replace(arrived, destination)
    sync(destination.parent)


def sync_tree(top: Path) -> None:
    """Write a file, or a folder with all below it, to the disk, and the name it has."""
    for folder, _, names in os.walk(top):
        for place in (*(Path(folder, name) for name in names), Path(folder)):
            _sync_readable(place)
    _sync_readable(top)
    sync(top.parent)


def _sync_readable(place: Path) -> None:
    with contextlib.suppress(FileNotFoundError, PermissionError):  # somebody else's doing; links lead elsewhere
        if stat.S_IFMT(place.lstat().st_mode) in (stat.S_IFREG, stat.S_IFDIR):
            sync(place)
