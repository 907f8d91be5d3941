"""A server that keeps what it is sent and answers as it is told; for what a well-behaved tenant never does."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple


class Received(NamedTuple):
    """One request, byte by byte as it came."""

    verb: str
    target: str  # path and query, still quoted
    headers: dict[str, str]  # names in lower case
    body: bytes


class Answer(NamedTuple):
    """What to send back; ``length`` may lie about the body, None sends chunks."""

    status: int = 200
    body: bytes = b'{"status": "success", "message": null, "version": "1", "result": {}}'
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    length: int | None = -1  # -1: the truth


class Recorder:
    """The requests that came, oldest first, and the answers to give: scripted ones first, then :attr:`always`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.received: list[Received] = []
        self.script: list[Answer | Callable[[Received], Answer]] = []
        self.always = Answer()

    def result(self, value: Any) -> None:
        """Answer ``value`` in an envelope from now on."""
        body = {"status": "success", "message": None, "version": "2.2.22-r7deb380", "result": value}
        self.always = Answer(body=json.dumps(body).encode())

    @property
    def last(self) -> Received:
        return self.received[-1]


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    recorder: Recorder

    def _answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        received = Received(self.command, self.path, headers, self._read_body(headers))
        self.recorder.received.append(received)
        scripted = self.recorder.script.pop(0) if self.recorder.script else self.recorder.always
        self._send(scripted(received) if callable(scripted) else scripted)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _answer

    def _read_body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(headers.get("content-length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        for name, value in answer.headers:
            self.send_header(name, value)
        if answer.length is not None and answer.status != 204:
            self.send_header("Content-Length", str(len(answer.body) if answer.length == -1 else answer.length))
        if answer.length != -1:
            self.close_connection = True
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # a client may have seen enough of a long page
            self.wfile.write(answer.body)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def recording() -> Iterator[Recorder]:
    """Run a recorder on loopback for as long as the block lasts."""
    handler = type("Handler", (_Handler,), {})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        recorder = handler.recorder = Recorder(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield recorder
        finally:
            server.shutdown()
            thread.join()
