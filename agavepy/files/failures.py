"""What went wrong with some of many files."""

from __future__ import annotations

import contextlib
import errno
import threading
from collections.abc import Iterator

from ..errors import AgaveHTTPError, AgavepyError, TransferError

_HOPELESS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE})  # for every other file as well


class Failures:
    """The errors of one command, by file."""

    def __init__(self) -> None:
        self._errors: dict[str, Exception] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def noted(self, name: str) -> Iterator[None]:
        """Note the block's failure and go on, unless it would befall every other file too."""
        try:
            yield
        except (AgavepyError, OSError) as error:  # OSError: all that requests raises too
            if _is_hopeless(error):
                raise
            with self._lock:
                self._errors[name] = error

    def __contains__(self, name: str) -> bool:
        return name in self._errors

    def raise_if_any(self) -> None:
        """:raises TransferError: something was noted."""
        if self._errors:
            raise TransferError(self._errors)


def _is_hopeless(error: Exception) -> bool:
    if isinstance(error, AgaveHTTPError):
        return bool(error.status_code == 401)
    return isinstance(error, OSError) and error.errno in _HOPELESS
