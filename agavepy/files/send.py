"""One file up: streamed, sent again where the connection broke, and compared with what the server has of it."""

from __future__ import annotations

import base64
import hashlib
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import requests

from ..errors import AgaveError
from ..transport import ATTEMPTS
from . import crew, entries
from .addresses import Address

_LOOKS = 7  # at a file that a server goes on storing after its answer, while nothing comes to it; about a minute
_BROKEN = (requests.exceptions.ConnectionError, requests.exceptions.Timeout)
_FINAL = (requests.exceptions.SSLError, requests.exceptions.ProxyError)

Pause = Callable[[int], None]


def send(
    ag: Any,
    path: Path,
    target: Address,
    *,
    report: Callable[[int, int | None], None],
    pause: Pause,
    stop: threading.Event,
) -> None:
    """
    Send a file to a place whose folder is there.

    :param pause: called with the number of failures before the next try.
    :param stop: once set, the transfer ends with :class:`crew.Stopped`.
    :raises AgaveError: the server has other bytes in the end than were sent.
    :raises OSError: it is no regular file, or cannot be read.
    :raises requests.exceptions.RequestException: the network failed, or the server refused.
    """
    check_name(target)
    with _opened(path) as file:
        send_file(ag, file, target, report=report, pause=pause, stop=stop)


def send_file(
    ag: Any,
    file: IO[bytes],
    target: Address,
    *,
    report: Callable[[int, int | None], None],
    pause: Pause,
    stop: threading.Event,
) -> None:
    """Send an open file of this machine's disk, from its first byte, as :func:`send` does."""
    body = Outgoing(file, report=report, stop=stop)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            if _is_stored(ag, _answer(ag, body, target), body, target, pause):
                return
        except _BROKEN as error:
            if attempt == ATTEMPTS or isinstance(error, _FINAL):
                raise
        if attempt < ATTEMPTS:
            pause(attempt)
    raise AgaveError(f"{target}: the server has other bytes than were sent, after {ATTEMPTS} attempts.")


class Outgoing:
    """A file on its way: what is read of it is counted, reported and summed up."""

    def __init__(self, file: IO[bytes], *, report: Callable[[int, int | None], None], stop: threading.Event) -> None:
        self._file, self._report, self._stop = file, report, stop
        self._size_bytes = os.fstat(file.fileno()).st_size
        self._begin()

    def _begin(self) -> None:
        self.sent_bytes = 0
        self.digest = hashlib.sha256()
        self._report(0, self._size_bytes)

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes; :raises crew.Stopped: somebody interrupted."""
        if self._stop.is_set():
            raise crew.Stopped
        data = self._file.read(size)
        self.digest.update(data)
        self.sent_bytes += len(data)
        self._report(self.sent_bytes, self._size_bytes)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move as a file does; at its beginning everything begins anew."""
        position = self._file.seek(offset, whence)
        if not position and self.sent_bytes:
            self._begin()
        return position

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()


def check_name(target: Address) -> None:
    """:raises AgaveError: a name is not UTF-8, as addresses and forms are."""
    try:
        str(target).encode()
    except UnicodeEncodeError:
        raise AgaveError(
            f"{str(target)!r} cannot be sent: its name is not UTF-8, as addresses and forms are."
        ) from None


def _opened(path: Path) -> IO[bytes]:
    if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for somebody to write into it
        raise AgaveError(f"{path} is no regular file.")
    return path.open("rb")


def _answer(ag: Any, body: Outgoing, target: Address) -> requests.Response:
    body.seek(0)
    answer: requests.Response = ag.files.importData.response(
        fileToUpload=body, fileName=target.name, **target.folder.keywords
    )
    return answer


def _is_stored(ag: Any, answer: requests.Response, body: Outgoing, target: Address, pause: Pause) -> bool:
    """Tell whether the server has what was sent: by its checksum, or at least the size."""
    digest = answer.headers.get("Digest", "")
    if digest.lower().startswith("sha-256="):
        sent = base64.b64encode(body.digest.digest()).decode()
        return bool(digest[len("sha-256=") :] == sent)
    return _is_there(ag, target, body.sent_bytes, pause)


def _is_there(ag: Any, target: Address, size_bytes: int, pause: Pause) -> bool:
    """Tell whether a file comes to have its size, however long that takes while it grows."""
    look, seen_bytes = 1, 0
    while look <= _LOOKS:
        found = entries.find(ag, target)
        if found and found.size_bytes in (None, size_bytes):
            return True
        if found and seen_bytes < (found.size_bytes or 0) < size_bytes:
            look, seen_bytes = 1, found.size_bytes or 0
        pause(look)
        look += 1
    return False
