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
from . import entries
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
        self._listed_bytes: int | None = None  # as it is listed; asked for where an answer does not tell
        self._end: int | None = None  # of the file, as the answers to one call tell it
        self.size_bytes: int | None = None  # of the whole file, as the last answer told it

    def read(self, start: int, end: int | None = None) -> bytes:
        """
        Return the bytes from ``start`` up to ``end``, or the file's end; fewer where it ends before.

        :raises OSError: ESTALE: the file was changed since this reader began.
        :raises AgaveHTTPError: the server refused.
        :raises requests.exceptions.RequestException: the network failed, again and again.
        """
        data, failures, self._end = io.BytesIO(), 0, None  # which gives its bytes away without a copy
        while not self._is_over(start + data.tell(), end):
            before = data.tell()
            try:
                for piece in self._arriving(start + before, end):
                    data.write(piece)
                if data.tell() == before and not self._is_over(start + before, end):
                    raise requests.exceptions.ConnectionError(f"{self._address}: nothing came of what is there.")
            except requests.exceptions.ConnectionError:
                failures = failures + 1 if data.tell() == before else 1
                if failures >= ATTEMPTS:
                    raise
                self._ag._transport().pause(failures)
        return data.getvalue()

    def _is_over(self, position: int, end: int | None) -> bool:
        return any(position >= last for last in (end, self._end) if last is not None)

    def _arriving(self, start: int, end: int | None) -> Iterator[bytes]:
        try:
            response = self._ag.files.download(headers=_range(start, end), **self._address.keywords)
        except AgaveHTTPError as error:
            if error.status_code == 416:  # nothing is there any more
                self._end = start
                return
            raise
        with contextlib.closing(response):
            self._check(response)
            position = self._first(response, start, end)
            for piece in pieces(response):
                wanted = piece[max(0, start - position) : None if end is None else end - position]
                position += len(piece)
                if wanted:
                    yield wanted
                if end is not None and position >= end:
                    return
            self._end = self._end or position

    def _first(self, response: requests.Response, asked: int, end: int | None) -> int:
        """Return where in the file an answer begins: at its first byte, if the server gives no parts."""
        if response.status_code != 206:
            return asked if self._is_part(response, asked, end) else 0
        found = re.match(r"bytes (\d{1,19})-\d{1,19}/(\d{1,19})?", response.headers.get("Content-Range", ""))
        if found is None:
            return asked
        if int(found[1]) > asked:
            raise AgaveError(f"{self._address}: the server sent it from byte {found[1]} on, not from {asked}.")
        self._end = int(found[2]) if found[2] else None  # servers may send less than is asked for
        return int(found[1])

    def _is_part(self, response: requests.Response, start: int, end: int | None) -> bool:
        """Tell whether an answer of status 200 is the range that was asked for all the same: its length tells."""
        length = response.headers.get("Content-Length")
        if not start or length is None:
            return False
        if self._listed_bytes is None:
            self._listed_bytes = entries.at(self._ag, self._address).size_bytes
        size = self._listed_bytes
        return size is not None and length == str(min(size if end is None else end, size) - start)

    def _check(self, response: requests.Response) -> None:
        coding = response.headers.get("Content-Encoding", "identity")
        if coding.lower() != "identity":
            raise AgaveError(f"{self._address}: the server sent it with Content-Encoding: {coding}, unasked.")
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
