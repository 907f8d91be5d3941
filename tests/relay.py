"""A relay between a client and a tenant, on loopback, that cuts connections where it is told to."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit


class Relay:
    """
    Passes bytes on, both ways; ``cuts`` says after how many bytes the next connections end.

    It is used up from its front, one entry a connection: ``("down", 1000)`` ends the answers after so many bytes,
    ``("up", 1000)`` the requests; ``("drop", 1000)`` resets the answers, so that some of the bytes are lost; None.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "", parts.port or 0)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"{parts.scheme}://127.0.0.1:{self._listening.getsockname()[1]}"
        self.cuts: list[tuple[str, int] | None] = []
        self.connections = 0
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def close(self) -> None:
        """End every connection and the relay."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for one in self._open:
            _reset(one)
        self._thread.join()

    def _accept(self) -> None:
        pumps: list[threading.Thread] = []
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self.connections += 1
                cut = self.cuts.pop(0) if self.cuts else None
                try:
                    server = socket.create_connection(self._target)
                except OSError:  # nobody is there, and the client is to see that
                    _reset(client)
                    continue
                self._open += [client, server]
                for way, source, sink in (("up", client, server), ("down", server, client)):
                    most = cut[1] if cut and way == {"drop": "down"}.get(cut[0], cut[0]) else None
                    is_reset = cut is not None and cut[0] != "down"
                    pumps.append(threading.Thread(target=_pump, args=(source, sink, most, is_reset)))
                    pumps[-1].start()
        for pump in pumps:
            pump.join()


@contextlib.contextmanager
def relaying(url: str) -> Iterator[Relay]:
    """Run a relay to a tenant for as long as the block lasts."""
    relay = Relay(url)
    try:
        yield relay
    finally:
        relay.close()


def _pump(source: socket.socket, sink: socket.socket, most: int | None, is_reset: bool) -> None:
    """Pass bytes on until the source ends, or so many have gone; then neither side hears any more."""
    left = most
    try:
        while data := source.recv(1 << 16):
            sink.sendall(data if left is None else data[:left])
            if left is not None:
                left -= len(data)
                if left <= 0:
                    if is_reset:
                        _reset(sink)
                    break
    except OSError:
        _reset(sink)
    finally:
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
        if left is not None and left <= 0:
            _reset(source)


def _reset(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # RST, not FIN
        one.shutdown(socket.SHUT_RDWR)
    one.close()
