"""What a server refuses, as the errors that files of this machine raise."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

from .errors import AgaveHTTPError

Kind = tuple[type[OSError], int]

NOT_EMPTY: Kind = (OSError, errno.ENOTEMPTY)
CHANGED: Kind = (OSError, errno.ESTALE)
FORBIDDEN: Kind = (PermissionError, errno.EACCES)
MISSING: Kind = (FileNotFoundError, errno.ENOENT)
THERE_ALREADY: Kind = (FileExistsError, errno.EEXIST)
A_FOLDER: Kind = (IsADirectoryError, errno.EISDIR)
NO_FOLDER: Kind = (NotADirectoryError, errno.ENOTDIR)

_BY_STATUS: dict[int, Kind] = {401: FORBIDDEN, 403: FORBIDDEN, 404: MISSING, 507: (OSError, errno.ENOSPC)}


def refusal(kind: Kind, path: str) -> OSError:
    """Return the error of that kind about a path."""
    cause, number = kind
    return cause(number, os.strerror(number), path)


@contextlib.contextmanager
def as_os_errors(path: str) -> Iterator[None]:
    """Raise the block's refusals as errors about a path; those that say nothing of files stay what they are."""
    try:
        yield
    except AgaveHTTPError as error:
        if error.status_code not in _BY_STATUS:
            raise
        kind, number = _BY_STATUS[error.status_code]
        reason = f"{os.strerror(number)} ({error.message})" if error.message else os.strerror(number)
        raise kind(number, reason, path) from error
