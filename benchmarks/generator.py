"""
A process that calls a server from many keep-alive connections at a time.

Nothing but sockets and epoll, so that it is the server that is measured.
"""

from __future__ import annotations

import collections
import itertools
import json
import select
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

NUMBER = b"{number:08}"  # in a request: stands for one that no other request has
_RECEIVED_BYTES = 1 << 16
_FAILURES_SHOWN = 5


class Load(NamedTuple):
    """What was seen: answers, of them failures, requests a second, milliseconds, the generator's share of a core."""

    answers: int
    failures: int
    shown: list[str]
    rate: float
    median_ms: float
    p99_ms: float
    longest_ms: float
    busy: float


def load(port: int, ca_file: str, clients: Sequence[Sequence[bytes]], *, duration_s: float) -> Load:
    """Return what a server on loopback did with clients that each repeat their requests, one after the other."""
    plan = {
        "port": port,
        "ca_file": ca_file,
        "duration_s": duration_s,
        "clients": [[request.decode("latin-1") for request in requests] for requests in clients],
    }
    command = [sys.executable, "-m", "benchmarks.generator"]
    done = subprocess.run(command, input=json.dumps(plan), stdout=subprocess.PIPE, text=True, check=True)
    return Load(**json.loads(done.stdout))


class _Client:
    """One connection, and the requests that go out on it in turns."""

    def __init__(self, line: ssl.SSLSocket, requests: Iterator[bytes], numbers: Iterator[int]) -> None:
        self._line = line
        self._requests = requests
        self._numbers = numbers
        self.handle = line.fileno()

    def ask(self) -> None:
        request = next(self._requests)
        if NUMBER in request:
            request = request.replace(NUMBER, b"%011d" % next(self._numbers))
        self._request, self._missing, self._answer = request, -1, b""
        self._begun = time.perf_counter()
        sent = self._line.send(request)
        assert sent == len(request), "a request is smaller than what the system takes at a time"

    def seconds(self) -> float | None:
        """Read; return the seconds the answer took once it is whole."""
        while self._missing:
            try:
                piece = self._line.recv(_RECEIVED_BYTES)
            except ssl.SSLWantReadError:
                return None
            if not piece:
                raise ConnectionError(f"closed after {self._answer!r:.200}")
            self._take(piece)
        return time.perf_counter() - self._begun

    def _take(self, piece: bytes) -> None:
        if self._missing > 0:
            self._missing -= len(piece)
            return
        self._answer += piece
        head = self._answer.find(b"\r\n\r\n")
        if head >= 0:
            at = self._answer.index(b"content-length: ") + 16  # uvicorn sends names in lower case
            self._missing = int(self._answer[at : self._answer.index(b"\r", at)]) + head + 4 - len(self._answer)

    @property
    def failure(self) -> str | None:
        """What was wrong with the answer; None: its status is a success."""
        if self._answer[9:10] == b"2":
            return None
        return f"{self._request[:100]!r}: {self._answer[:300]!r}"


def _connected(port: int, ca_file: str) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=ca_file)
    plain = socket.create_connection(("127.0.0.1", port), timeout=30)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    line = context.wrap_socket(plain, server_hostname="127.0.0.1")
    line.setblocking(False)
    return line


def _run(port: int, ca_file: str, clients: list[list[str]], duration_s: float) -> dict[str, Any]:
    # From a number that no earlier run on the same tenant has used.
    numbers = itertools.count(time.time_ns() // 1_000_000 % 10**11)
    lines = [
        _Client(_connected(port, ca_file), itertools.cycle([each.encode("latin-1") for each in requests]), numbers)
        for requests in clients
    ]
    poll = select.epoll()
    by_handle = {}
    for line in lines:
        poll.register(line.handle, select.EPOLLIN)
        by_handle[line.handle] = line
    times: collections.Counter[int] = collections.Counter()  # tenths of milliseconds
    failures: list[str] = []
    count = failed = 0
    begun, busy = time.perf_counter(), time.process_time()
    end = begun + duration_s
    for line in lines:
        line.ask()
    while by_handle:
        for handle, _ in poll.poll(30):
            line = by_handle[handle]
            seconds = line.seconds()
            if seconds is None:
                continue
            count += 1
            times[int(seconds * 10_000)] += 1
            if line.failure:
                failed += 1
                failures.append(line.failure)
            if time.perf_counter() < end:
                line.ask()
            else:
                del by_handle[handle]
    took_s = time.perf_counter() - begun
    return {
        "answers": count,
        "failures": failed,
        "shown": failures[:_FAILURES_SHOWN],
        "rate": count / took_s,
        "median_ms": _quantile(times, 0.5),
        "p99_ms": _quantile(times, 0.99),
        "longest_ms": max(times) / 10,
        "busy": (time.process_time() - busy) / took_s,
    }


def _quantile(times: collections.Counter[int], share: float) -> float:
    wanted = share * sum(times.values())
    seen = itertools.accumulate(times[each] for each in sorted(times))
    return next(each for each, so_far in zip(sorted(times), seen, strict=True) if so_far >= wanted) / 10


if __name__ == "__main__":
    print(json.dumps(_run(**json.load(sys.stdin))))
