"""What to do with what is there already."""

from __future__ import annotations

import datetime
import os
from typing import NamedTuple

from ..errors import FileConflict


class There(NamedTuple):
    """Size in bytes and date of a file; None where not known."""

    size_bytes: int | None
    modified: datetime.datetime | None


def local(facts: os.stat_result) -> There:
    """Return what a file of this machine is compared by."""
    return There(facts.st_size, datetime.datetime.fromtimestamp(facts.st_mtime, datetime.timezone.utc))


def is_wanted(overwrite: bool | str, *, source: There, target: There | None, name: str) -> bool:
    """
    Tell whether a file is to be transferred.

    :param overwrite: True: in any case; False: only where nothing is; "newer": not over one that is as new.
    :param target: what is there; None: nothing.
    :raises FileConflict: something is there, and it may not be replaced.
    """
    if target is None or overwrite is True:
        return True
    if overwrite is False:
        raise FileConflict(f"{name} is there already: pass overwrite=True, or overwrite='newer'.")
    if source.modified is None or target.modified is None:
        return True
    ours, theirs = (int(each.timestamp()) for each in (source.modified, target.modified))  # HTTP tells whole seconds
    return ours > theirs or (ours == theirs and source.size_bytes != target.size_bytes)
