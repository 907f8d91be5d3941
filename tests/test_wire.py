"""Requests and answers on a connection: as few packets as can be, read as requests reads them."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from agavepy.transport import Request, Transport, pieces

HEADS = {
    "plain": b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-A:  b c \t\r\nContent-Length: 5\r\n\r\nhello",
    "kept alive": b"HTTP/1.1 201 Created\r\nConnection: Keep-Alive\r\ncontent-length:5\r\n\r\nhello",
    "without a reason": b"HTTP/1.1 404\r\nContent-Length: 5\r\n\r\nhello",
    "an empty reason": b"HTTP/1.1 500 \r\nContent-Length: 5\r\n\r\nhello",
    "a name twice": b"HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 5\r\nx-a: 2\r\n\r\nhello",
    "a value that is not ASCII": b"HTTP/1.1 200 OK\r\nX-A: caf\xe9 \xc3\xa9\r\nContent-Length: 5\r\n\r\nhello",
    "an empty value": b"HTTP/1.1 200 OK\r\nX-A:\r\nContent-Length: 5\r\n\r\nhello",
    "a value with a colon": b"HTTP/1.1 200 OK\r\nX-A: b:c\r\nContent-Length: 5\r\n\r\nhello",
    "a folded line": b"HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 5\r\n\r\nhello",
    "ends of lines without a return": b"HTTP/1.1 200 OK\nX-A: b\nContent-Length: 5\n\nhello",
    "the same length twice": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "no length": b"HTTP/1.1 200 OK\r\nX-A: b\r\n\r\nhello",
    "a length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello",
    "closing": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
    "in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "chunks and a length": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    ),
    "an older version": b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "no content": b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
    "not modified": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    "after a 100": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "a cookie": b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 5\r\n\r\nhello",
}


class Server:
    """Answers every request with the same bytes, and notes what its connections read at once."""

    def __init__(self, answer: bytes, *, is_cut: bool = False) -> None:
        self._answer, self._is_cut = answer, is_cut
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.read: list[bytes] = []
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def connections(self) -> int:
        return len(self._open)

    def stop(self) -> None:
        for each in (self._socket, *self._open):
            with contextlib.suppress(OSError):  # it is closed
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._socket.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the socket that is shut down
            while True:
                connection, _ = self._socket.accept()
                self._open.append(connection)
                self._threads.append(threading.Thread(target=self._answer_all, args=(connection,)))
                self._threads[-1].start()

    def _answer_all(self, connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(1 << 20):
                self.read.append(data)
                connection.sendall(self._answer)
                if self._is_cut or b"Content-Length: 5" not in self._answer:
                    return


@contextlib.contextmanager
def serving(answer: bytes, *, is_cut: bool = False) -> Iterator[tuple[Server, Transport]]:
    server = Server(answer, is_cut=is_cut)
    transport = Transport(server.url, sleep=lambda _: None)
    try:
        yield server, transport
    finally:
        transport.close()
        server.stop()


def request(server: Server, **fields: object) -> Request:
    settings: dict[str, object] = {"operation": "x.y", "method": "GET", "headers": {}, "timeout": 5, **fields}
    return Request(url=f"{server.url}/a?b=c", **settings)  # type: ignore[arg-type]


def seen(response: requests.Response) -> tuple[object, ...]:
    content = response.content
    cookies = response.cookies.get_dict()
    return response.status_code, response.reason, dict(response.headers), content, response.encoding, cookies


@pytest.mark.parametrize("answer", HEADS.values(), ids=HEADS)
def test_an_answer_is_what_requests_makes_of_it(answer: bytes) -> None:
    with serving(answer) as (server, transport):
        with requests.get(server.url, timeout=5) as plain:
            expected = seen(plain)
        assert seen(transport.send(request(server))) == expected


def test_the_answer_to_a_head_has_no_body() -> None:
    with serving(HEADS["plain"].removesuffix(b"hello")) as (server, transport):
        for _ in range(2):
            assert transport.send(request(server, method="HEAD")).headers["Content-Length"] == "5"
        assert server.connections == 1


def test_head_and_body_of_a_request_arrive_together() -> None:
    with serving(HEADS["plain"]) as (server, transport):
        for _ in range(20):
            transport.send(request(server, method="POST", body=b"x" * 10_000))
    assert [(data[:4], data[-10_001:]) for data in server.read] == [(b"POST", b"\n" + b"x" * 10_000)] * 20


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("", "/"),
        ("/", "/"),
        ("?next=/x&k=1", "/?next=/x&k=1"),
        ("/a/b?c=/d", "/a/b?c=/d"),
        ("#/a", "/"),
        ("/a#/b", "/a"),
        ("//a//b/", "//a//b/"),
        ("/a%2Fb", "/a%2Fb"),
    ],
)
def test_a_request_goes_to_the_path_of_its_address(address: str, target: str) -> None:
    with serving(HEADS["plain"]) as (server, transport):
        transport.send(request(server)._replace(url=server.url + address))
    assert server.read[0].split(b" ")[1].decode() == target


@pytest.mark.parametrize("fields", [99, 100, 101])
def test_no_more_fields_are_read_than_http_client_does(fields: int) -> None:
    answer = b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * (fields - 1) + b"Content-Length: 5\r\n\r\nhello"
    with serving(answer) as (server, transport):
        if fields <= 100:
            assert transport.send(request(server)).content == b"hello"
        else:
            with pytest.raises(requests.exceptions.ConnectionError):
                transport.send(request(server))


def test_a_program_may_put_an_adapter_of_its_own_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mocked(requests.adapters.BaseAdapter):
        def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
            answer = requests.Response()
            answer.status_code, answer.raw, answer.url = 200, io.BytesIO(b"mocked"), str(request.url)
            return answer

    monkeypatch.setattr(requests.Session, "get_adapter", lambda *_, **__: Mocked())
    with serving(HEADS["plain"]) as (server, transport):
        assert transport.send(request(server)).content == b"mocked"
    assert server.read == []


def test_connections_are_used_again() -> None:
    with serving(HEADS["plain"]) as (server, transport):
        for _ in range(3):
            answer = transport.send(request(server, is_stream=True))
            assert b"".join(pieces(answer, size=2)) == b"hello"
    assert server.connections == 1


@pytest.mark.parametrize("size_bytes", [0, 1, 8_191, 8_192, 65_536, 65_537, 1_000_000])
def test_a_long_body_is_read_whole(size_bytes: int) -> None:
    body = os.urandom(size_bytes)
    with serving(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (size_bytes, body)) as (server, transport):
        read = list(pieces(transport.send(request(server, is_stream=True)), size=1 << 16))
    assert b"".join(read) == body
    assert [len(piece) for piece in read[:-1]] == [1 << 16] * (size_bytes // (1 << 16) - (size_bytes % (1 << 16) == 0))


@pytest.mark.parametrize("sent_bytes", [0, 100, 70_000])
def test_a_body_that_breaks_off_is_an_error_after_what_arrived(sent_bytes: int) -> None:
    body, read = os.urandom(sent_bytes), list[bytes]()
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + body
    with serving(answer, is_cut=True) as (server, transport):
        arriving = pieces(transport.send(request(server, is_stream=True)), size=1 << 16)
        with pytest.raises(requests.exceptions.ConnectionError, match="the connection broke"):
            read.extend(arriving)
    assert b"".join(read) == body
