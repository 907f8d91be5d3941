"""Files of the web: their bytes written to disk, until somebody else breaks that off."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
import requests.utils
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from .api import ApiError
from .imports import WebFile, without_password

_TIMEOUT_S = (5, 60)  # to connect; between two pieces
_LIMIT_S = 1800.0  # of a whole download: a server that drips would never be late between two pieces
_CHUNK_BYTES = 1 << 16


class Interruption:
    """Lets one thread break off what another downloads, now or as soon as it begins."""

    def __init__(self) -> None:
        self._reason = ""
        self._lines: list[socket.socket] = []
        self._lock = threading.Lock()

    def interrupt(self, reason: str) -> None:
        """Cut every connection; ``reason`` is what the downloads then fail with."""
        with self._lock:
            self._reason = self._reason or reason
            for line in self._lines:
                _cut(line)

    @property
    def reason(self) -> str:
        """Why it was broken off; empty when it was not."""
        return self._reason

    def check(self) -> None:
        """:raises ApiError: it was broken off."""
        if self._reason:
            raise ApiError(self._reason)

    @contextlib.contextmanager
    def collecting(self) -> Iterator[None]:
        """Forget the connections of the block at its end."""
        try:
            yield
        finally:
            with self._lock:
                for line in self._lines:
                    line.close()
                self._lines.clear()

    def add(self, connection: socket.socket) -> None:
        """Have a connection cut as well."""
        with self._lock:
            # A second handle: TLS takes the first one over. Cutting either cuts the connection.
            self._lines.append(connection.dup())
            if self._reason:
                _cut(self._lines[-1])


class Interruptions:
    """Those of everything that runs now, to be interrupted together when the tenant stops."""

    def __init__(self) -> None:
        self._reason = ""
        self._running: set[Interruption] = set()
        self._lock = threading.Lock()

    def interrupt(self, reason: str) -> None:
        """Interrupt those that run, and those to come as soon as they begin."""
        with self._lock:
            self._reason = reason
            for each in self._running:
                each.interrupt(reason)

    @contextlib.contextmanager
    def including(self, interruption: Interruption) -> Iterator[Interruption]:
        """Have an interruption among them for the length of the block."""
        with self._lock:
            self._running.add(interruption)
            if self._reason:
                interruption.interrupt(self._reason)
        try:
            yield interruption
        finally:
            with self._lock:
                self._running.discard(interruption)


@contextlib.contextmanager
def limited(interruption: Interruption, limit_s: float, *, shown: str) -> Iterator[None]:
    """Interrupt the block when it takes longer than the limit; ``shown`` names its address."""
    too_long = threading.Timer(limit_s, interruption.interrupt, [f"{shown} took longer than {limit_s:g} s."])
    too_long.daemon = True
    too_long.start()
    try:
        yield
    finally:
        too_long.cancel()
        too_long.join()


def download(source: WebFile, destination: Path, *, interruption: Interruption) -> None:
    """
    Write the bytes of a web file to ``destination``.

    :raises ApiError: no answer, another status than 2xx, it took too long, it was broken off.
    """
    interruption.check()
    shown = without_password(source.url)
    try:
        with (
            limited(interruption, _LIMIT_S, shown=shown),
            interruption.collecting(),
            session(source.url, interruption) as line,
        ):
            _save(line, source.url, destination)
        interruption.check()  # a cut connection may look like the end of the data
    except requests.RequestException as problem:
        interruption.check()
        raise ApiError(f"{shown} cannot be read: {type(problem).__name__}") from problem


def _save(line: requests.Session, url: str, destination: Path) -> None:
    with line.get(url, stream=True, timeout=_TIMEOUT_S) as response:
        if not response.ok:
            raise ApiError(f"{without_password(url)} answered {response.status_code} {response.reason}")
        with destination.open("wb") as file:
            for piece in response.iter_content(_CHUNK_BYTES):
                file.write(piece)


def session(url: str, interruption: Interruption) -> requests.Session:
    """Return a session for one address on the web; its connections can be interrupted."""
    made = requests.Session()
    # The server's own ~/.netrc is not the caller's to use; its proxies and CA bundle are.
    made.trust_env = False
    made.proxies.update(requests.utils.get_environ_proxies(url))
    made.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
    for scheme in ("http://", "https://"):
        made.mount(scheme, _Adapter(interruption))
    return made


class _Adapter(HTTPAdapter):  # type: ignore[misc]
    """Tells an interruption of every connection it opens."""

    def __init__(self, interruption: Interruption) -> None:
        self._pools = {
            "http": _announcing(HTTPConnectionPool, interruption),
            "https": _announcing(HTTPSConnectionPool, interruption),
        }
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _announcing(pool: Any, interruption: Interruption) -> Any:
    """Return the pool's class with connections that add themselves to the interruption."""

    class Connection(pool.ConnectionCls):  # type: ignore[misc]
        def _new_conn(self) -> socket.socket:
            connection: socket.socket = super()._new_conn()
            interruption.add(connection)
            return connection

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})


def _cut(line: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it is closed already
        line.shutdown(socket.SHUT_RDWR)
