"""Faults on request: what networks, gateways and tenants do to a client on a bad day, through the real server."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import fnmatch
import http
import threading
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from ..errors import nearest
from . import connection, envelope
from .answers import Answer, InThread
from .api import ApiError, BadRequest
from .connection import Receive, Send
from .request import Request

_MOST_FAULTS = 1000
_ALL = float("inf")
_LONGEST_DELAY_S = 600
_LONGEST_JUMP_S = 10 * 365 * 86400

Serve = Callable[[Request, Send], Awaitable[None]]


@dataclasses.dataclass(frozen=True)
class Fault:
    """
    What is to happen to the next requests of an operation; several things may happen to one request.

    :param status: answer with it, and do nothing of what was asked.
    :param times: how many requests it happens to.
    :param operation: as ``jobs.submit``, ``token`` or ``files.*``.
    :param message: the envelope's, with ``status``.
    :param html: answer with an HTML page, as proxies do, instead of the envelope.
    :param retry_after_s: sent as ``Retry-After``.
    :param delay_s: passes before anything else happens.
    :param truncate_after: bytes of the answer's body after which the connection ends; a shorter body comes whole.
    :param reset_after: bytes of the answer's body, 0 to ask for none, after which the connection is reset.
    :param reset_request_after: bytes of the request's body after which the connection is reset; at its end, if it is
        shorter.
    :param expire_tokens: every access token expires now, before the request is looked at.
    :param clock_jump_s: the tenant's clock jumps by so much, before the request is looked at.
    """

    status: int | None = None
    times: int = 1
    operation: str = "*"
    message: str = ""
    html: bool = False
    retry_after_s: int | None = None
    delay_s: float = 0
    truncate_after: int | None = None
    reset_after: int | None = None
    reset_request_after: int | None = None
    expire_tokens: bool = False
    clock_jump_s: float = 0

    def __post_init__(self) -> None:
        _check(self)

    def shown(self) -> dict[str, Any]:
        """Return its parameters, without those that say nothing."""
        shown = [(each.name, getattr(self, each.name), each.default) for each in dataclasses.fields(self)]
        return {name: value for name, value, default in shown if value != default}


def read(document: Any) -> Fault:
    """Return the fault that a JSON object describes by the names of its parameters; :raises BadRequest: it does not."""
    known = {each.name for each in dataclasses.fields(Fault)}
    if not isinstance(document, dict) or not document.keys() <= known:
        raise BadRequest(f"A fault is an object with any of {', '.join(sorted(known))}; got {document!r:.200}.")
    try:
        return Fault(**document)
    except ValueError as problem:
        raise BadRequest(str(problem)) from None


class Faults:
    """
    The faults that are still to come, in the order in which they were asked for.

    :param operations: names of those that faults can happen to.
    :param expire_tokens: makes every access token expire.
    :param move_clock: moves the tenant's clock by seconds.
    """

    def __init__(
        self,
        operations: Collection[str],
        *,
        expire_tokens: Callable[[], object],
        move_clock: Callable[[float], object],
    ) -> None:
        self._operations = operations
        self._expire_tokens = expire_tokens
        self._move_clock = move_clock
        self._coming: collections.deque[Fault] = collections.deque()
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._coming)

    @property
    def coming(self) -> list[Fault]:
        """Those that are still to come; ``times`` says how often."""
        with self._lock:
            return list(self._coming)

    def add(self, fault: Fault) -> None:
        """Ask for a fault; :raises ValueError: no operation has such a name; BadRequest: there are too many."""
        if not any(fnmatch.fnmatchcase(name, fault.operation) for name in self._operations):
            hint = nearest(fault.operation, self._operations) or " Names are as jobs.submit, token or files.*."
            raise ValueError(f"This tenant has no operation {fault.operation!r:.80}.{hint}")
        with self._lock:
            if len(self._coming) >= _MOST_FAULTS:
                raise BadRequest(f"{_MOST_FAULTS} faults are to come already: clear them first.")
            self._coming.append(fault)

    def clear(self) -> None:
        """Forget those that are still to come."""
        with self._lock:
            self._coming.clear()

    def take(self, operation: str) -> Fault | None:
        """Return the fault that happens to this request of an operation, and count it."""
        with self._lock:
            for number, fault in enumerate(self._coming):
                if fnmatch.fnmatchcase(operation, fault.operation):
                    self._count(number, fault)
                    return fault
        return None

    def _count(self, number: int, fault: Fault) -> None:
        if fault.times == 1:
            del self._coming[number]
        else:
            self._coming[number] = dataclasses.replace(fault, times=fault.times - 1)

    async def happen(self, fault: Fault, request: Request, send: Send, serve: Serve, *, in_thread: InThread) -> None:
        """Answer a request, or do not, as the fault has it; ``serve`` does so in earnest."""
        request.noted["fault"] = fault.shown()
        await connection.pause(fault.delay_s, send)
        await in_thread(self._befall_the_tenant, fault)
        if fault.reset_request_after is not None:
            await _read_some(request, fault.reset_request_after)
            await connection.reset(send, request.receive)
            return
        with contextlib.suppress(_BrokenOff):
            limited = _Limited(fault, send, request.receive)
            if fault.status is None:
                await serve(request, limited)
            else:
                await _read_some(request, _ALL)  # some clients look for the answer only when they have sent all
                await _answer(fault, fault.status, request).send(
                    limited, request.receive, head=request.method == "HEAD", in_thread=in_thread
                )

    def _befall_the_tenant(self, fault: Fault) -> None:
        if fault.expire_tokens:
            self._expire_tokens()
        if fault.clock_jump_s:
            self._move_clock(fault.clock_jump_s)


class _BrokenOff(Exception):
    """The connection is gone, as it was wished."""


class _Limited:
    """Sends an answer, of whose body so many bytes get through."""

    def __init__(self, fault: Fault, send: Send, receive: Receive) -> None:
        both = [each for each in (fault.truncate_after, fault.reset_after) if each is not None]
        self._left = min(both, default=None)
        self._end = connection.reset if self._left == fault.reset_after else connection.cut
        self._send, self._receive = send, receive

    @property
    def __self__(self) -> Any:
        return self._send.__self__  # type: ignore[attr-defined]  # so that the connection can be found

    async def __call__(self, message: dict[str, Any]) -> None:
        if self._left is None or message["type"] != "http.response.body":
            await self._send(message)
            return
        body = message.get("body", b"")
        passed, self._left = body[: self._left], max(0, self._left - len(body))
        is_end = not message.get("more_body", False)
        if len(passed) == len(body) and not (is_end and self._end is connection.reset):
            await self._send(message)
            return
        await self._send({**message, "body": passed, "more_body": True})
        await self._end(self._send, self._receive)
        raise _BrokenOff


async def _read_some(request: Request, size_bytes: float) -> None:
    """Read so many bytes of a request's body, or all of it."""
    while size_bytes > 0 and request.is_body_on_its_way:
        size_bytes -= len((await request.receive()).get("body", b""))


def _answer(fault: Fault, status: int, request: Request) -> Answer:
    answer = _page(status) if fault.html else _refusal(fault, status, request)
    headers = {} if fault.retry_after_s is None else {"retry-after": str(fault.retry_after_s)}
    request.noted["status"] = status
    return dataclasses.replace(answer, headers=headers)


def _refusal(fault: Fault, status: int, request: Request) -> Answer:
    message = fault.message or f"{_phrase(status)}, as this sandbox was asked to answer"
    return dataclasses.replace(envelope.refusal(ApiError(message), query=request.query), status=status)


def _page(status: int) -> Answer:
    title = f"{status} {_phrase(status)}"
    text = f"<html>\r\n<head><title>{title}</title></head>\r\n<body><center><h1>{title}</h1></center></body>\r\n</html>"
    return Answer(status, text.encode("ascii"), media_type="text/html")


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _check(fault: Fault) -> None:
    """:raises ValueError: a value that no request could meet."""
    _check_number("status", fault.status, 200, 599, whole=True)
    _check_number("times", fault.times, 1, 1_000_000, whole=True)
    _check_number("retry_after_s", fault.retry_after_s, 0, _LONGEST_JUMP_S, whole=True)
    _check_number("delay_s", fault.delay_s, 0, _LONGEST_DELAY_S)
    _check_number("clock_jump_s", fault.clock_jump_s, -_LONGEST_JUMP_S, _LONGEST_JUMP_S)
    for name in ("truncate_after", "reset_after", "reset_request_after"):
        _check_number(name, getattr(fault, name), 0, 1 << 62, whole=True)
    for name, kind in (("operation", str), ("message", str), ("html", bool), ("expire_tokens", bool)):
        if not isinstance(getattr(fault, name), kind):
            raise ValueError(f"{name!r} of a fault must be a {kind.__name__}; got {getattr(fault, name)!r:.80}.")


def _check_number(name: str, value: Any, least: float, most: float, *, whole: bool = False) -> None:
    if value is None and name not in ("times", "delay_s", "clock_jump_s"):
        return
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)) or not least <= value <= most:
        kind = "a whole number" if whole else "a number"
        raise ValueError(f"{name!r} of a fault must be {kind} from {least:g} to {most:g}; got {value!r:.80}.")
