"""Whom notifications tell: a web server and an SMTP server on loopback that remember what came."""

from __future__ import annotations

import contextlib
import dataclasses
import email
import email.policy
import http.server
import json
import socket
import socketserver
import threading
from collections import deque
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest


@dataclasses.dataclass
class Received:
    """One request that came in."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Hook(http.server.ThreadingHTTPServer):
    """Answers a POST with 200, or what stands in ``answers`` first: a status, with or without headers."""

    daemon_threads = True

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answers: deque[tuple[int, dict[str, str]]] = deque()
        self.reached = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def refuse(self, *statuses: int, **headers: str) -> None:
        self.answers.extend((status, headers) for status in statuses)

    def events(self) -> list[str]:
        """Return what came as ``?e=…``, in order."""
        return [each.target.partition("e=")[2] for each in self.received]


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.received.append(Received(self.command, self.path, dict(self.headers), body))
        self.server.reached.set()
        status, headers = self.server.answers.popleft() if self.server.answers else (200, {})
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if status >= 400:
            self.wfile.write(b"no, thank you" + b"!" * 5000)

    def do_GET(self) -> None:
        self.send_error(404)  # there is nothing to fetch

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Post(socketserver.ThreadingTCPServer):
    """An SMTP server (RFC 5321) that takes every e-mail, or none while ``full``."""

    daemon_threads = True

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.full = False
        super().__init__(("127.0.0.1", 0), _Session)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _Session(socketserver.StreamRequestHandler):
    server: Post

    def handle(self) -> None:
        self._say("220 ready")
        while line := self.rfile.readline():
            word = line.split()[0].upper().decode()
            if word == "DATA":
                self._say("354 go on")
                self.server.messages.append(self._message())
            if word == "RCPT" and self.server.full:
                self._say("452 mailbox full")
            else:
                self._say("221 bye" if word == "QUIT" else "250 ok")
            if word == "QUIT":
                return

    def _message(self) -> EmailMessage:
        lines = iter(self.rfile.readline, b".\r\n")
        parsed = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


class Silent:
    """Takes connections and says nothing, until it is closed."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.connections = 0
        self._lines: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                line, _ = self._listening.accept()
            except OSError:
                return  # closed
            self._lines.append(line)
            self.connections += 1
            self.reached.set()

    def close(self) -> None:
        with contextlib.suppress(OSError):  # closed before
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()
        for line in self._lines:
            line.close()


@pytest.fixture
def silent() -> Iterator[Silent]:
    """A server that never answers."""
    server = Silent()
    yield server
    server.close()


def serving(server: Any) -> Iterator[Any]:
    """Run a server in a thread for the length of a fixture."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def hook() -> Iterator[Hook]:
    """A web server that takes notifications."""
    yield from serving(Hook())


@pytest.fixture
def post() -> Iterator[Post]:
    """An SMTP server."""
    yield from serving(Post())
