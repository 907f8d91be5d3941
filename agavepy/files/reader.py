"""Parts of one file, read as they are asked for."""

from __future__ import annotations

import contextlib
import errno
import io
import re
from collections.abc import Iterator
from typing import Any

import requests

from ..errors import AgaveError, AgaveHTTPError
from ..transport import ATTEMPTS, pieces
from .addresses import Address

Version = tuple[str | None, str | None]  # ETag, Last-Modified


class Reader:
    """
    Reads from a file of a system, from one version of it.

    :param ag: a client.
    """

    def __init__(self, ag: Any, address: Address) -> None:
        self._ag, self._address = ag, address
        self._version: Version | None = None
        self.size_bytes: int | None = None  # of the whole file, once an answer told

    def read(self, start: int, end: int | None = None) -> bytes:
        """
        Return the bytes from ``start`` up to ``end``, or the file's end; fewer where it ends before.

        :raises OSError: ESTALE: the file was changed since this reader began.
        :raises AgaveHTTPError: the server refused.
        :raises requests.exceptions.RequestException: the network failed, again and again.
        """
        data, failures = io.BytesIO(), 0  # gives its bytes away without a copy
        while end is None or start + data.tell() < end:
            before = data.tell()
            try:
                for piece in self._arriving(start + before, end):
                    data.write(piece)
                break
            except requests.exceptions.ConnectionError:
                failures = failures + 1 if data.tell() == before else 1
                if failures >= ATTEMPTS:
                    raise
                self._ag._transport().pause(failures)
        return data.getvalue()

    def _arriving(self, start: int, end: int | None) -> Iterator[bytes]:
        try:
            response = self._ag.files.download(headers=_range(start, end), **self._address.keywords)
        except AgaveHTTPError as error:
            if error.status_code == 416:  # nothing is there any more
                return
            raise
        with contextlib.closing(response):
            self._check_version(response)
            position = self._first(response, start)
            for piece in pieces(response):
                wanted = piece[max(0, start - position) : None if end is None else end - position]
                position += len(piece)
                if wanted:
                    yield wanted
                if end is not None and position >= end:
                    return

    def _first(self, response: requests.Response, asked: int) -> int:
        """Return where in the file an answer begins: at its first byte, if the server gives no parts."""
        if response.status_code != 206:
            return 0
        found = re.match(r"bytes (\d{1,19})-", response.headers.get("Content-Range", ""))
        if found and int(found[1]) > asked:
            raise AgaveError(f"{self._address}: the server sent it from byte {found[1]} on, not from {asked}.")
        return int(found[1]) if found else asked

    def _check_version(self, response: requests.Response) -> None:
        version = response.headers.get("ETag"), response.headers.get("Last-Modified")
        self._version = self._version or version
        if version != self._version:
            raise OSError(errno.ESTALE, "The file was changed while it was read", str(self._address))
        whole = re.search(r"/(\d{1,19})$", response.headers.get("Content-Range", ""))
        self.size_bytes = int(whole[1]) if whole else None


def _range(start: int, end: int | None) -> dict[str, str]:
    if not start and end is None:
        return {}
    return {"Range": f"bytes={start}-{'' if end is None else end - 1}"}
