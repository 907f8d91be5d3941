"""The connection below a request, for what HTTP has no words for: breaking it off."""

from __future__ import annotations

import asyncio
import socket
import struct
import types
from collections.abc import Awaitable, Callable
from typing import Any

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_TURN_S = 0.01
_FLUSH_TURNS = 500


async def cut(send: Send, receive: Receive) -> None:
    """End the connection in the middle of an answer: the only way to say that it will not be whole."""
    await _flush(send)
    transport(send).abort()
    await disconnected(receive)


async def reset(send: Send, receive: Receive) -> None:
    """End the connection as a machine that died does: the peer reads a reset instead of an end."""
    await _flush(send)
    line = transport(send).get_extra_info("socket")
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport(send).abort()
    await disconnected(receive)


async def pause(seconds: float, send: Send) -> None:
    """Wait, no longer than the peer does."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while (left := end - loop.time()) > 0 and not transport(send).is_closing():
        await asyncio.sleep(min(left, _TURN_S))


async def disconnected(receive: Receive) -> None:
    """Return when the peer is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def send_at_once(send: Send, head: dict[str, Any], body: dict[str, Any]) -> None:
    """Send a short answer in one piece: head and body share a packet, and a record of TLS."""
    if not body["body"] or not isinstance(send, types.MethodType):
        await send(head)
        await send(body)
        return
    cycle: Any = send.__self__
    gathering = _Gathering(cycle.transport)
    cycle.transport = gathering
    try:
        await send(head)
        await send(body)
    finally:
        cycle.transport = gathering.transport
        gathering.let_go()


class _Gathering:
    """What uvicorn writes to meanwhile: a transport that keeps what comes first until there is more."""

    def __init__(self, transport: Any) -> None:
        self.transport = transport
        self._first: bytes | None = None

    def write(self, piece: bytes) -> None:
        if self._first is None:
            self._first = piece
        else:
            self.transport.write(self._first + piece)
            self._first = b""

    def let_go(self) -> None:
        """Write what is left, if the rest did not come."""
        if self._first:
            self.transport.write(self._first)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)


def transport(send: Send) -> Any:
    """Return the transport of the request that ``send`` answers: uvicorn gives a method of its own object for it."""
    return send.__self__.transport  # type: ignore[attr-defined]


def is_lost(send: Send) -> bool:
    """Return whether nothing that is sent arrives any more."""
    return isinstance(send, types.MethodType) and any(each.is_closing() for each in _layers(transport(send)))


def unsent_bytes(transport: Any) -> int:
    """Return how many bytes of answers a transport still holds."""
    return sum(each.get_write_buffer_size() for each in _layers(transport))


def _layers(transport: Any) -> list[Any]:
    # A TLS transport tells nothing of the one below it, and has no other way to ask.
    below = getattr(getattr(transport, "_ssl_protocol", None), "_transport", None)
    return [transport] if below is None else [transport, below]


async def _flush(send: Send) -> None:
    for _ in range(_FLUSH_TURNS):  # a peer that does not read gets less
        if not unsent_bytes(transport(send)):
            return
        await asyncio.sleep(_TURN_S)
