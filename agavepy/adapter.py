"""requests' way to the connections of urllib3, less what is the same for every request of a client."""

from __future__ import annotations

import datetime
import http.client
import re
import time
from collections.abc import Mapping
from typing import Any

import requests
import requests.adapters
import requests.utils
import urllib3
from requests.cookies import extract_cookies_to_jar
from requests.structures import CaseInsensitiveDict
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_POOL_SIZE = 32  # as many threads keep a connection each


class Adapter(requests.adapters.HTTPAdapter):  # type: ignore[misc]
    """
    Sends prepared requests of one client: the pool of its server is looked up once, cookies are taken where some come.

    A session of requests in front of it would cost as much again, for redirects, hooks and cookies that the transport
    has no use for.

    :param verify: True, False or the path of a CA file or folder.
    :param proxies: as for requests.
    """

    def __init__(self, *, verify: bool | str, proxies: Mapping[str, str]) -> None:
        super().__init__(pool_maxsize=_POOL_SIZE)
        self._verify, self._proxies = verify, dict(proxies)
        self._home: tuple[str, Any] = "", None  # the address of a server, and its pool, ready to be used

    def exchange(self, request: requests.PreparedRequest, *, timeout: Any) -> requests.Response:
        """Return the answer, its body unread.

        :param timeout: seconds, or (connect, read).
        :raises requests.exceptions.RequestException: the network failed.
        """
        began_s = time.perf_counter()
        response: requests.Response = self.send(
            request, stream=True, timeout=timeout, verify=self._verify, proxies=self._proxies
        )
        response.elapsed = datetime.timedelta(seconds=time.perf_counter() - began_s)
        return response

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        super().init_poolmanager(*arguments, **named)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    # What requests' own send asks for

    def get_connection_with_tls_context(self, request: requests.PreparedRequest, *settings: Any, **named: Any) -> Any:
        address, pool = self._home
        if pool is not None and pool.pool is not None and address == _address(request.url):
            return pool
        return super().get_connection_with_tls_context(request, *settings, **named)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        if conn is self._home[1]:
            return
        super().cert_verify(conn, url, verify, cert)
        self._home = _address(url), conn

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> Any:
        url = str(request.url)
        path = url[len(_address(url)) :]
        if proxies or not path.startswith("/") or "#" in path:
            return super().request_url(request, proxies)
        return path

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        response = requests.Response()
        response.status_code, response.reason = resp.status, resp.reason
        response.headers = CaseInsensitiveDict(resp.headers.itermerged())
        response.encoding = requests.utils.get_encoding_from_headers(response.headers)
        response.raw, response.url, response.request, response.connection = resp, str(req.url), req, self
        if "Set-Cookie" in response.headers:
            extract_cookies_to_jar(response.cookies, req, resp)
        return response


def _address(url: str | None) -> str:
    """Return scheme, host and port of a URL, as they are written."""
    text = url or ""
    end = text.find("/", text.find("//") + 2)
    return text if end < 0 else text[:end]


def read(raw: Any, size: int) -> bytes:
    """
    Return the next bytes of a body as they are on the wire, up to ``size``; empty at its end.

    :param raw: of a streamed answer. As long as more than a piece is to come, it is read from the connection itself.
    :raises urllib3.exceptions.HTTPError: it broke.
    :raises OSError: it broke.
    """
    answer = getattr(raw, "_original_response", None)
    if not isinstance(answer, _Response) or not answer.has_more_than(size):
        return bytes(raw.read(size, decode_content=False))
    piece = answer.read_straight(size)
    raw.length_remaining -= len(piece)
    return piece


class _Response(http.client.HTTPResponse):
    """
    An answer whose head is taken apart at once where it is as nearly all are; http.client reads any other.

    Its parser, made for e-mails, takes as long as everything else about a short request.
    """

    def __init__(self, sock: Any, debuglevel: int = 0, method: str | None = None, url: str | None = None) -> None:
        super().__init__(sock, debuglevel, method, url)
        self._is_plain = method != "HEAD" and not debuglevel
        self._line = sock
        self._is_simple = False  # its length is known, and its end is not the connection's
        self._is_straight = False  # nothing is left in the buffer in front of the connection

    def begin(self, *arguments: Any, **named: Any) -> None:
        head = _HEAD.match(self.fp.peek()) if self._is_plain and self.headers is None else None
        fields = _fields(head[3].decode("latin-1") if head else "")
        size_bytes = _size_bytes(fields)
        if head is None or size_bytes is None:
            super().begin(*arguments, **named)
            return
        self.fp.read(head.end())
        self.version, self.status, self.reason = 11, int(head[1]), head[2].decode("latin-1").strip()
        self.code = self.status
        self.headers = self.msg = http.client.HTTPMessage()
        for name, value in fields:
            self.headers[name] = value
        self.chunked, self.chunk_left, self.length, self.will_close = False, None, size_bytes, False
        self._is_simple = True

    def has_more_than(self, size: int) -> bool:
        """Tell whether so much is to come that it can be read straight from the connection."""
        return self._is_simple and (self.length or 0) > size

    def read_straight(self, size: int) -> bytes:
        """Return the next bytes, at most ``size``, where there are more than that."""
        piece = self._from_line(size) if self._is_straight else self.fp.read1(size)
        self._is_straight = True
        if not piece:
            raise urllib3.exceptions.IncompleteRead(0, self.length or 0)
        self.length = (self.length or 0) - len(piece)
        return piece

    def _from_line(self, size: int) -> bytes:
        received, left = [], size
        while left and (data := self._line.recv(min(left, _RECORD_BYTES))):
            received.append(data)
            left -= len(data)
        return b"".join(received)


_RECORD_BYTES = 1 << 14  # that TLS gives at once
# RFC 9112: names are tokens; no line goes on in the next one. Answers that never have a body are left to http.client.
_HEAD = re.compile(rb"HTTP/1\.1 (20[0-36]|[45]\d\d)(| [^\r\n]*)\r\n((?:[!#-'*+\-.^-z|~0-9A-Z]+:[^\r\n]*\r\n)+)\r\n")
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection"})


def _fields(head: str) -> list[tuple[str, str]]:
    pairs = (line.partition(":") for line in head.split("\r\n")[:-1])
    return [(name, value.strip(" \t")) for name, _, value in pairs]


def _size_bytes(fields: list[tuple[str, str]]) -> int | None:
    """Return how long the body is; None: it is not so simple."""
    framing = [(name.lower(), value) for name, value in fields if name.lower() in _FRAMING]
    lengths = [value for name, value in framing if (name, value.lower()) != ("connection", "keep-alive")]
    is_simple = len(lengths) == 1 and framing.count(("content-length", lengths[0])) == 1
    return int(lengths[0]) if is_simple and re.fullmatch("[0-9]{1,18}", lengths[0]) else None


class _Joining:
    """A connection on which the head of a request goes out with the first piece of its body: mostly in one packet."""

    response_class = _Response
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
        if head or data:
            super().send(head + data if head else data)  # type: ignore[misc]


def _joining(pool: Any) -> Any:
    return type(
        pool.__name__, (pool,), {"ConnectionCls": type(pool.ConnectionCls.__name__, (_Joining, pool.ConnectionCls), {})}
    )


_POOLS = {"http": _joining(HTTPConnectionPool), "https": _joining(HTTPSConnectionPool)}
