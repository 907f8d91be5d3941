"""How requests and answers look on a connection: as few packets as can be, and no parser that is not needed."""

from __future__ import annotations

import http.client
import re
import ssl
from typing import Any

import urllib3
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


def read(raw: Any, size: int) -> bytes:
    """
    Return the next bytes of a body as they are on the wire, up to ``size``; empty at its end.

    :param raw: of a streamed answer. As long as more than a piece is to come, it is read from the connection itself.
    :raises urllib3.exceptions.HTTPError: it broke.
    :raises OSError: it broke.
    """
    answer = getattr(raw, "_original_response", None)
    if not isinstance(answer, Response) or not answer.has_more_than(size):
        return bytes(raw.read(size, decode_content=False))
    piece = answer.read_straight(size)
    raw.length_remaining -= len(piece)
    return piece


class Response(http.client.HTTPResponse):
    """
    An answer whose head is taken apart at once where it is as nearly all are; http.client reads any other.

    Its parser, made for e-mails, takes a tenth of the time of a short request.
    """

    def __init__(self, sock: Any, debuglevel: int = 0, method: str | None = None, url: str | None = None) -> None:
        super().__init__(sock, debuglevel, method, url)
        self._is_plain = method != "HEAD" and not debuglevel
        self._line = sock
        self._most_bytes = _RECORD_BYTES if isinstance(sock, ssl.SSLSocket) else _PIECE_BYTES
        self._is_simple = False  # its length is known, and its end is not the connection's
        self._is_straight = False  # nothing is left in the buffer in front of the connection

    def begin(self, *arguments: Any, **named: Any) -> None:
        head = _HEAD.match(self.fp.peek()) if self._is_plain and self.headers is None else None
        fields = _fields(head[3].decode("latin-1") if head else "")
        size_bytes = _size_bytes(fields)
        if head is None or size_bytes is None or len(fields) > _MOST_FIELDS:
            super().begin(*arguments, **named)
        else:
            self.fp.read(head.end())
            self._take(head, fields, size_bytes)

    def _take(self, head: re.Match[bytes], fields: list[tuple[str, str]], size_bytes: int) -> None:
        self.version, self.status, self.reason = 11, int(head[1]), head[2].decode("latin-1").strip()
        self.code = self.status
        self.headers = self.msg = http.client.HTTPMessage()
        for name, value in fields:
            self.headers[name] = value
        self.chunked, self.chunk_left, self.length, self.will_close = False, None, size_bytes, False
        self._is_simple = True

    def has_more_than(self, size: int) -> bool:
        """Tell whether so much is to come that it can be read straight from the connection."""
        return self._is_simple and self.fp is not None and (self.length or 0) > size

    def read_straight(self, size: int) -> bytes:
        """Return the next bytes, at most ``size``, where there are more than that."""
        piece = b"" if self._is_straight else self.fp.read1(size)
        if len(piece) < size:
            self._is_straight = True
            piece = self._from_line(piece, size)
        if not piece:
            raise urllib3.exceptions.IncompleteRead(0, self.length or 0)
        self.length = (self.length or 0) - len(piece)
        return piece

    def _from_line(self, begun: bytes, size: int) -> bytes:
        received, left = [begun], size - len(begun)
        while left and (data := self._line.recv(min(left, self._most_bytes))):
            received.append(data)
            left -= len(data)
        return b"".join(received)


_RECORD_BYTES = 1 << 14  # that TLS gives at once; asked for more, it makes room for nothing
_PIECE_BYTES = 1 << 18
# RFC 9112: names are tokens; no line goes on in the next one. Answers that never have a body are left to http.client.
_HEAD = re.compile(rb"HTTP/1\.1 (20[0-36]|[45]\d\d)(| [^\r\n]*)\r\n((?:[!#-'*+\-.^-z|~0-9A-Z]+:[^\r\n]*\r\n)+)\r\n")
_MOST_FIELDS = 100  # http.client refuses more
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection"})


def _fields(head: str) -> list[tuple[str, str]]:
    pairs = (line.partition(":") for line in head.split("\r\n")[:-1])
    return [(name, value.lstrip(" \t")) for name, _, value in pairs]


def _size_bytes(fields: list[tuple[str, str]]) -> int | None:
    """Return how long the body is; None: it is not so simple."""
    framing = [(name.lower(), value) for name, value in fields if name.lower() in _FRAMING]
    lengths = [value for name, value in framing if (name, value.lower()) != ("connection", "keep-alive")]
    is_simple = len(lengths) == 1 and framing.count(("content-length", lengths[0])) == 1
    return int(lengths[0]) if is_simple and re.fullmatch("[0-9]{1,18}", lengths[0]) else None


class Joining:
    """A connection on which the head of a request goes out with the first piece of its body: mostly in one packet."""

    response_class = Response
    _head: bytes | None = None  # that waits for what comes next

    def request(self, *arguments: Any, **named: Any) -> None:
        self._head = b""
        try:
            super().request(*arguments, **named)  # type: ignore[misc]
            self._let_go(b"")
        finally:
            self._head = None

    def send(self, data: bytes) -> None:
        if self._head == b"":
            self._head = data
        else:
            self._let_go(data)

    def _let_go(self, data: bytes) -> None:
        head, self._head = self._head, None  # first: the first of all to be sent may be a greeting to a proxy
        if head and len(data) > _PIECE_BYTES:
            super().send(head)  # type: ignore[misc]
            head = b""
        if head or data:
            super().send(head + data if head else data)  # type: ignore[misc]


def _joining(pool: Any) -> Any:
    """Return the class of pools with connections of that kind."""
    connection = type(pool.ConnectionCls.__name__, (Joining, pool.ConnectionCls), {})
    return type(pool.__name__, (pool,), {"ConnectionCls": connection})


POOLS = {"http": _joining(HTTPConnectionPool), "https": _joining(HTTPSConnectionPool)}
