"""What goes back over HTTP: a short body in one piece, or a file in chunks with ranges."""

from __future__ import annotations

import asyncio
import dataclasses
import email.utils
import os
import re
import stat
import urllib.parse
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, BinaryIO

from . import checksums
from .api import Download, NotFound
from .checksums import Checksums
from .connection import Receive, Send, disconnected, is_lost, send_at_once, transport

InThread = Callable[..., Awaitable[Any]]  # runs a function and its arguments in a worker thread

CHUNK_BYTES = 1 << 20
_WRITE_BYTES = 1 << 17  # what a transport cannot send at once it copies, and again with every part it sends
_BEYOND = 1 << 63  # no file has so many bytes

Range = tuple[int | None, int | None]  # first and last position; without a first: so many at the end


@dataclasses.dataclass
class Answer:
    """A whole response."""

    status: int
    body: bytes = b""
    media_type: str = "application/json"
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    async def send(self, send: Send, receive: Receive, *, head: bool, in_thread: InThread) -> None:
        """Send it; without its body to a HEAD."""
        of_body = {"content-type": self.media_type} if self.body else {}
        headers = {"content-length": str(len(self.body)), **of_body, **self.headers}
        body = {"type": "http.response.body", "body": b"" if head else self.body}
        await send_at_once(send, _start(self.status, headers), body)


@dataclasses.dataclass
class FileAnswer:
    """An open file, or one range of it. Whoever made it sends it or closes it."""

    status: int
    headers: Mapping[str, str]
    file: BinaryIO
    facts: os.stat_result
    start: int
    length: int
    unknown: Checksums | None = None  # that are to work out the file's
    algorithms: Sequence[str] = ()  # by one of these

    async def send(self, send: Send, receive: Receive, *, head: bool, in_thread: InThread) -> None:
        """Send it, read in worker threads, so that a slow disk or reader holds nobody up."""
        gone = asyncio.ensure_future(disconnected(receive))  # nothing else tells that nobody listens any more
        try:
            headers = {**self.headers, "content-length": str(self.length)}
            await send(_start(self.status, headers))
            left = 0 if head else self.length
            while left and not gone.done():
                chunk = await in_thread(self._read, self.start + self.length - left, min(left, CHUNK_BYTES))
                left -= len(chunk)
                await _send_in_pieces(send, chunk)
                if is_lost(send):
                    transport(send).abort()
                    await gone  # before that, uvicorn takes the end of this for a mistake
                    return
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()
            self.file.close()

    async def with_digest(self, in_thread: InThread) -> FileAnswer:
        """Return it with the checksum that is to be worked out; without, if the file changes meanwhile."""
        if self.unknown is None:
            return self
        try:
            found = await in_thread(self.unknown.of, self.file.fileno(), self.facts, self.algorithms)
        except BaseException:
            self.file.close()
            raise
        return dataclasses.replace(self, unknown=None, headers={**self.headers, **checksums.header(found)})

    def read_whole(self) -> Answer:
        """
        Return the same with its body read, and the file closed.

        :raises ChangedMeanwhile: it was rewritten while it was read.
        """
        body, end = b"", self.start + self.length
        while (position := self.start + len(body)) < end:
            body += self._read(position, end - position)
        self.file.close()
        return Answer(self.status, body, headers=self.headers)

    def _read(self, position: int, size: int) -> bytes:
        chunk = os.pread(self.file.fileno(), size, position)
        is_last = position + len(chunk) == self.start + self.length
        if not chunk or (is_last and self._is_rewritten()):
            # The length is promised already: breaking the connection is the only way left to say so.
            raise ChangedMeanwhile(f"The file {self.headers['etag']} was rewritten while it was sent.")
        return chunk

    def _is_rewritten(self) -> bool:
        """Return whether what was sent may be half of one file and half of another; a file may grow, as logs do."""
        now = os.fstat(self.file.fileno())
        return now.st_size <= self.facts.st_size and not checksums.is_same(self.facts, now)


async def _send_in_pieces(send: Send, chunk: bytes) -> None:
    for start in range(0, len(chunk), _WRITE_BYTES):
        if is_lost(send):
            return
        await send({"type": "http.response.body", "body": chunk[start : start + _WRITE_BYTES], "more_body": True})


class ChangedMeanwhile(OSError):
    """A file was rewritten in place while it was sent."""


def file_answer(
    download: Download, headers: Mapping[str, str], *, known: Checksums | None = None, attachment: bool = False
) -> Answer | FileAnswer:
    """
    Return the answer to a download, its Range and If-Range honoured; the file is open when this returns.

    :param headers: of the request, names in lower case.
    :param known: checksums of files, to send with it; one that nobody knows is worked out if Want-Digest asks.
    :raises NotFound: it vanished meanwhile.
    """
    wanted = _range(headers.get("range", ""))
    file = _opened(download)
    try:
        facts = os.fstat(file.fileno())
        common = _headers_of(download, facts, attachment=attachment)
        answer = _answer(headers, file, facts, wanted, common)
        return _with_digest(answer, headers, known) if isinstance(answer, FileAnswer) else answer
    except BaseException:
        file.close()
        raise


def _answer(
    headers: Mapping[str, str],
    file: BinaryIO,
    facts: os.stat_result,
    wanted: Range | None,
    common: Mapping[str, str],
) -> Answer | FileAnswer:
    # Another file by now: RFC 9110 13.1.5 wants it whole.
    is_same = headers.get("if-range", "") in ("", common["etag"], common["last-modified"])
    if wanted is None or not is_same:
        return FileAnswer(200, common, file, facts, 0, facts.st_size)
    start, end = _span(wanted, facts.st_size)
    if start >= end:
        file.close()
        return Answer(416, headers={"content-range": f"bytes */{facts.st_size}", "accept-ranges": "bytes"})
    ranged = {**common, "content-range": f"bytes {start}-{end - 1}/{facts.st_size}"}
    return FileAnswer(206, ranged, file, facts, start, end - start)


def _with_digest(answer: FileAnswer, headers: Mapping[str, str], known: Checksums | None) -> Answer | FileAnswer:
    """Return the answer with the file's checksum, or what works it out while others are served, if it is wanted."""
    wanted = checksums.wanted(headers.get("want-digest", ""))
    found = known.known(answer.facts, wanted or checksums.UNASKED) if known is not None else ""
    if known is not None and not found and wanted:
        return dataclasses.replace(answer, unknown=known, algorithms=wanted)
    return _whole_if_short(dataclasses.replace(answer, headers={**answer.headers, **checksums.header(found)}))


def _whole_if_short(answer: FileAnswer) -> Answer | FileAnswer:
    """Return a short file read whole already: the stream, with its tasks and turns, costs more than the file."""
    if answer.length > _WRITE_BYTES:
        return answer
    try:
        return answer.read_whole()
    except ChangedMeanwhile:
        return answer  # it may have settled by the time it is sent


def _opened(download: Download) -> BinaryIO:
    try:
        # Without O_NONBLOCK a pipe that a job made would hold the thread for ever.
        file = os.fdopen(os.open(download.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    except FileNotFoundError:
        raise NotFound("File/folder does not exist") from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise NotFound("File/folder does not exist")
    if download.is_temporary:
        os.unlink(download.path)  # the open file lives on until it is sent
    return file


def _headers_of(download: Download, facts: os.stat_result, *, attachment: bool) -> dict[str, str]:
    return {
        "accept-ranges": "bytes",
        "content-disposition": f"{'attachment' if attachment else 'inline'}; {_file_name(download.name)}",
        "content-type": download.mime_type,
        "etag": f'"{facts.st_mtime_ns:x}-{facts.st_size:x}-{facts.st_ino:x}"',
        "last-modified": email.utils.formatdate(facts.st_mtime, usegmt=True),
    }


def _file_name(name: str) -> str:
    """Return the parameter(s) that carry a file name, RFC 6266: a plain form, and the exact one where it differs."""
    plain = re.sub(r"[^ !#-\[\]-~]", "_", name)
    exact = "" if plain == name else f"; filename*=UTF-8''{urllib.parse.quote(name, safe='', errors='surrogateescape')}"
    return f'filename="{plain}"{exact}'


def _range(text: str) -> Range | None:
    """Return the first and last position of a Range header; None: it asks for the whole file, or makes no sense."""
    # Only the first of several ranges counts, as on the classic server.
    found = re.match(r"bytes=\s*([0-9]*)-([0-9]*)\s*(?:,|$)", text)
    if not found or found.groups() == ("", ""):
        return None
    first, last = (_position(digits) for digits in found.groups())
    return None if first is not None and last is not None and last < first else (first, last)


def _position(digits: str) -> int | None:
    # Beyond any file is beyond; and int() refuses more than 4,300 digits.
    significant = digits.lstrip("0")
    return min(int(significant[:20] or "0"), _BEYOND) if digits else None


def _span(wanted: Range, size: int) -> tuple[int, int]:
    """Return the half-open span wanted of so many bytes; empty when it cannot be satisfied."""
    first, last = wanted
    if first is None:
        return max(0, size - (last or 0)), size
    return min(first, size), size if last is None else min(last + 1, size)


def _start(status: int, headers: Mapping[str, str]) -> dict[str, Any]:
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": pairs}
