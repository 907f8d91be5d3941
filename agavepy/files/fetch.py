"""One file down: streamed, gone on with after a break, in parallel where that helps, and checked before it counts."""

from __future__ import annotations

import contextlib
import email.utils
import re
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any, NamedTuple

import requests

from ..errors import AgaveError
from ..transport import ATTEMPTS, pieces
from . import crew, digests
from .behind import Behind
from .digests import Digest
from .part import Part, Remote
from .spans import Span

PARALLEL_FROM_BYTES = 256 << 20
SEGMENT_BYTES = 64 << 20
FAST_BYTES_PER_S = 50e6  # a line on which this much arrives is not helped by others
PROBE_BYTES = 8 << 20
_BEHIND_FROM_BYTES = 4 << 20  # of smaller files, a thread costs more than it gains
_STATUSES = frozenset({200, 203, 204, 206})  # those that bring a file, or a part; 204: an empty one

Source = Callable[[Mapping[str, str]], requests.Response]  # request headers → the streamed answer


class StartOver(Exception):
    """What has arrived is of no use: the file changed, or the server gives no ranges."""


class Reply(NamedTuple):
    """A download's answer and what it says of the file."""

    response: requests.Response
    remote: Remote
    start: int
    gives_ranges: bool
    digest: Digest | None  # of the whole file


class Pace:
    """How fast bytes arrive on one connection: judged once, by the first that came."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self._seen_bytes = 0
        self.is_slow = False  # so much so that more connections help

    def count(self, size_bytes: int) -> None:
        """Note that bytes came."""
        is_judged = self._seen_bytes >= PROBE_BYTES
        self._seen_bytes += size_bytes
        if not is_judged and self._seen_bytes >= PROBE_BYTES:
            self.is_slow = self._seen_bytes < (time.monotonic() - self._began_s) * FAST_BYTES_PER_S


class Fetch:
    """
    Brings one file into a :class:`Part`, and the part to its target.

    :param source: asks for the file with these headers.
    :param part: what has arrived already.
    :param name: of the file, for messages.
    :param size_bytes: asked, when the answer itself does not tell how long the file is.
    :param lines: most connections at once.
    :param report: called with the bytes that are there and the size of the file, or None.
    :param pause: called with the number of failures before the next try.
    :param stop: once set, everything ends with :class:`crew.Stopped`.
    """

    def __init__(
        self,
        source: Source,
        part: Part,
        *,
        name: str,
        size_bytes: Callable[[], int | None],
        lines: int,
        report: Callable[[int, int | None], None],
        pause: Callable[[int], None],
        stop: threading.Event,
    ) -> None:
        self._source, self._part, self._name = source, part, name
        self._size_bytes, self._lines = size_bytes, lines
        self._report, self._pause, self._stop = report, pause, stop
        self._running_digest: Any = None  # of a file that arrives in order, from its first byte
        self._halt = threading.Event()  # of those who bring in parts of this file
        self._behind: Behind | None = None  # writes and sums up while more arrives

    def run(self) -> None:
        """
        Complete the part and put it in its target's place.

        :raises AgaveHTTPError: the server refused.
        :raises AgaveError: what came is not what was announced, again and again.
        :raises requests.exceptions.RequestException: the network failed; what has arrived is kept.
        """
        reason: StartOver | None = None
        for attempt in range(1, ATTEMPTS + 1):
            try:
                reply = self._complete()
                self._check(reply)
                return self._part.finish(modified=_seconds(reply.remote.modified))
            except StartOver as error:
                reason = error
                self._part.restart(Remote(None, None, None))
                if attempt < ATTEMPTS:
                    self._pause(attempt)
        raise AgaveError(f"{self._name}: {reason}, {ATTEMPTS} times.") from reason

    # Arriving

    def _complete(self) -> Reply:
        reply = self._first()
        with contextlib.closing(reply.response):
            missing = self._missing(reply)
            self._report_progress()
            with self._writing_behind(missing):
                if missing is None:
                    self._take_all(reply)
                else:
                    self._take_missing(reply, missing)
            self._report_progress()
        return reply

    @contextlib.contextmanager
    def _writing_behind(self, missing: list[Span] | None) -> Iterator[None]:
        if missing is not None and _size(missing) < _BEHIND_FROM_BYTES:
            yield
            return
        try:
            with Behind() as self._behind:
                yield
        finally:
            self._behind = None

    def _first(self) -> Reply:
        """Return the answer to the first request: from the first byte that is missing, if something is there."""
        part = self._part
        if not (part.remote.is_known and part.done.size):
            return self._begun_anew(self._reply(self._source({"Want-Digest": digests.WANTED})))
        size = int(part.remote.size_bytes or 0)
        start, _ = next(part.done.missing(size), (max(0, size - 1), size))  # its last byte, if all are there
        try:
            reply = self._reply(self._source({"Want-Digest": digests.WANTED, **self._range(start, None)}))
        except requests.exceptions.HTTPError as error:
            if getattr(error.response, "status_code", None) == 416:
                raise StartOver("the file became shorter") from error
            raise
        return reply if _is_same(reply.remote, part.remote) and reply.start == start else self._begun_anew(reply)

    def _begun_anew(self, reply: Reply) -> Reply:
        if reply.start:
            reply.response.close()
            raise StartOver("the file changed")
        self._part.restart(reply.remote)
        self._running_digest = digests.new(reply.digest.algorithm) if reply.digest else None
        return reply

    def _missing(self, reply: Reply) -> list[Span] | None:
        size = reply.remote.size_bytes
        if size is None:
            return None
        return list(self._part.done.missing(size)) or ([(size - 1, size)] if reply.start else [])

    def _take_missing(self, reply: Reply, missing: list[Span]) -> None:
        pace = Pace() if self._is_for_many(reply, missing) else None
        for number, span in enumerate(missing):
            reached = self._take(span, reply, pace)
            if pace is not None and pace.is_slow:
                return self._take_in_parallel([(reached, span[1]), *missing[number + 1 :]])

    def _is_for_many(self, reply: Reply, missing: list[Span]) -> bool:
        can_be = self._lines > 1 and reply.gives_ranges and reply.remote.is_known
        return can_be and _size(missing) >= PARALLEL_FROM_BYTES

    def _take_in_parallel(self, missing: list[Span]) -> None:
        self._running_digest = None
        self._halt = threading.Event()
        crew.run(_segments(missing), lambda span: self._take(span, None), hands=self._lines, stop=self._halt)

    def _take(self, span: Span, reply: Reply | None, pace: Pace | None = None) -> int:
        """Bring one span in, as far as the pace is enough; ``reply`` is an answer that may begin there."""
        position, end = span
        failures = 0
        while position < end:
            before = position
            current = reply if reply and reply.start == position else self._again(position, end)
            reply = None
            try:
                with contextlib.closing(self._arriving(current, end - position)) as arriving:
                    for piece in arriving:
                        self._keep(position, piece)
                        position += len(piece)
                        if pace is not None:
                            pace.count(len(piece))
                            if pace.is_slow:
                                return position
                if position < end:
                    raise requests.exceptions.ConnectionError(f"{self._name}: {end - position} bytes did not arrive.")
            except requests.exceptions.ConnectionError:
                failures = failures + 1 if position == before else 1
                if failures >= ATTEMPTS:
                    raise
                self._pause(failures)
        return position

    def _take_all(self, reply: Reply) -> None:
        """Bring a file in whose size only its end will tell: nothing can be gone on with."""
        position = 0
        try:
            for piece in self._arriving(reply, None):
                self._keep(position, piece)
                position += len(piece)
        except requests.exceptions.ConnectionError as error:
            raise StartOver(f"it broke off after {position} bytes") from error
        expected = self._size_bytes()
        if expected is not None and expected != position:
            raise StartOver(f"{position} bytes came, of {expected}")
        self._part.remote = self._part.remote._replace(size_bytes=position)

    def _arriving(self, reply: Reply, most: int | None) -> Generator[bytes, None, None]:
        """Yield the bytes of an answer, no more than ``most``."""
        with contextlib.closing(pieces(reply.response)) as stream:
            for piece in stream:
                if self._stop.is_set() or self._halt.is_set():
                    raise crew.Stopped
                yield piece if most is None else piece[:most]
                if most is not None:
                    most -= len(piece)
                    if most <= 0:
                        return

    def _keep(self, position: int, piece: bytes) -> None:
        if self._behind is None:
            self._store(position, piece)
        else:
            self._behind.do(self._store, position, piece)
        self._report_progress()

    def _store(self, position: int, piece: bytes) -> None:
        self._part.write(position, piece)
        running = self._running_digest  # none any more, once others bring parts
        if running is not None:
            running.update(piece)

    def _report_progress(self) -> None:
        self._report(self._part.done.size, self._part.remote.size_bytes)

    # Asking

    def _again(self, position: int, end: int) -> Reply:
        reply = self._reply(self._source(self._range(position, end)))
        if not _is_same(reply.remote, self._part.remote):
            reply.response.close()
            raise StartOver("the file changed")
        if reply.start != position:
            reply.response.close()
            raise StartOver("the server gives no part of the file")
        return reply

    def _range(self, start: int, end: int | None) -> dict[str, str]:
        remote = self._part.remote
        is_strong = remote.etag and not remote.etag.startswith("W/")
        known = remote.etag if is_strong else remote.modified
        last = "" if end is None else end - 1
        return {"Range": f"bytes={start}-{last}", **({"If-Range": known} if known else {})}

    def _reply(self, response: requests.Response) -> Reply:
        headers = response.headers
        if headers.get("Content-Encoding", "identity").lower() != "identity":
            response.close()
            coding = headers["Content-Encoding"]
            raise AgaveError(f"{self._name}: the server sent it with Content-Encoding: {coding}, unasked.")
        if response.status_code not in _STATUSES:
            response.close()
            raise AgaveError(f"{self._name}: the server answered {response.status_code}, which brings no file.")
        start, size = self._extent(response)
        remote = Remote(size, headers.get("ETag"), headers.get("Last-Modified"))
        gives_ranges = response.status_code == 206 or headers.get("Accept-Ranges", "").lower() == "bytes"
        return Reply(response, remote, start, gives_ranges, digests.offered(headers))

    def _extent(self, response: requests.Response) -> tuple[int, int | None]:
        """Return the first byte's position, and the size of the whole file."""
        length = _number(response.headers.get("Content-Length", ""))
        found = re.fullmatch(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})", response.headers.get("Content-Range", ""))
        if found:
            start, last, size = map(int, found.groups())
            if not start <= last < size:
                response.close()
                raise StartOver(f"the server sent {found[0]}, which is no part of anything")
            return start, size
        sent = response.request.headers if response.request else {}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", sent.get("Range", ""))
        whole = self._part.remote.size_bytes
        if asked and whole is not None and length is not None:
            # Some servers honour a range with status 200 and no Content-Range: the length tells.
            end = int(asked[2]) + 1 if asked[2] else whole
            if length == end - int(asked[1]) != whole:
                return int(asked[1]), whole
        return 0, length

    # Checking

    def _check(self, reply: Reply) -> None:
        if reply.digest is None:
            return
        running = self._running_digest
        found = running.digest() if running is not None else self._part.digest(reply.digest.algorithm)
        if found != reply.digest.value:
            raise StartOver("what arrived has another checksum than the server's")


def _size(spans: list[Span]) -> int:
    return sum(end - start for start, end in spans)


def _segments(missing: list[Span]) -> Iterator[Span]:
    for start, end in missing:
        for position in range(start, end, SEGMENT_BYTES):
            yield position, min(position + SEGMENT_BYTES, end)


def _is_same(one: Remote, other: Remote) -> bool:
    if one.size_bytes != other.size_bytes:
        return False
    if one.etag and other.etag:
        return one.etag == other.etag
    return one.modified == other.modified


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\d{1,19}", text.strip()) else None


def _seconds(date: str | None) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(date).timestamp() if date else None
    except (TypeError, ValueError, OverflowError):
        return None
