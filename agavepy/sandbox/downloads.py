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


def download(source: WebFile, destination: Path, *, interruption: Interruption) -> None:
    """
    Write the bytes of a web file to ``destination``.

    :raises ApiError: no answer, another status than 2xx, it took too long, it was broken off.
    """
    interruption.check()
    shown = without_password(source.url)
    too_long = threading.Timer(_LIMIT_S, interruption.interrupt, [f"{shown} took longer than {_LIMIT_S:g} s."])
    too_long.daemon = True
    too_long.start()
    try:
        with interruption.collecting(), _session(source.url, interruption) as session:
            _save(session, source.url, destination)
        interruption.check()  # a cut connection may look like the end of the data
    except requests.RequestException as problem:
        interruption.check()
        raise ApiError(f"{shown} cannot be read: {type(problem).__name__}") from problem
    finally:
        too_long.cancel()
        too_long.join()


def _save(session: requests.Session, url: str, destination: Path) -> None:
    with session.get(url, stream=True, timeout=_TIMEOUT_S) as response:
        if not response.ok:
            raise ApiError(f"{without_password(url)} answered {response.status_code} {response.reason}")
        with destination.open("wb") as file:
            for piece in response.iter_content(_CHUNK_BYTES):
                file.write(piece)


def _session(url: str, interruption: Interruption) -> requests.Session:
    session = requests.Session()
    # The server's own ~/.netrc is not the caller's to use; its proxies and CA bundle are.
    session.trust_env = False
    session.proxies.update(requests.utils.get_environ_proxies(url))
    session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(interruption))
    return session


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
