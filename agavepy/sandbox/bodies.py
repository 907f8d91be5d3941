"""What comes in: JSON, form fields, and files straight to disk."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import urllib.parse
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from python_multipart.multipart import parse_options_header

from .answers import CHUNK_BYTES, InThread
from .api import BadRequest, TooLarge
from .connection import Receive
from .forms import LARGEST_BYTES, Body, Form

LARGEST_SMALL_FORM_BYTES = 64 << 10
LARGEST_SHORT_BYTES = 64 << 10
_MULTIPART = "multipart/form-data"
_MOST_DIGITS = 300  # more than that no float holds
_DEEPEST = 100  # levels of arrays and objects


class Disconnected(Exception):
    """The caller went away before the request was whole."""


@contextlib.asynccontextmanager
async def received(
    receive: Receive, headers: Mapping[str, str], *, new_path: Callable[[], Path], in_thread: InThread
) -> AsyncIterator[Body]:
    """
    Give the request's body, read by its content type; its files last as long as the block.

    :param new_path: gives a fresh path for an arriving file.
    :raises BadRequest: it does not parse.
    :raises TooLarge: more than LARGEST_BYTES outside of files.
    :raises Disconnected: it ended early; nothing is left behind.
    """
    media_type, boundary = _content_type(headers)
    if media_type == _MULTIPART:
        form = Form(boundary, new_path)
        try:
            yield await _fed(form, receive, in_thread)
        finally:
            await in_thread(form.discard)
    else:
        yield _parsed(media_type, await whole(receive, headers))


@contextlib.contextmanager
def parsed(data: bytes, headers: Mapping[str, str], *, new_path: Callable[[], Path]) -> Iterator[Body]:
    """Give what :func:`received` does, of a body that is here already."""
    media_type, boundary = _content_type(headers)
    if media_type != _MULTIPART:
        yield _parsed(media_type, data)
        return
    form = Form(boundary, new_path)
    try:
        form.write(data)
        yield form.finished()
    finally:
        form.discard()


def is_short(headers: Mapping[str, str]) -> bool:
    """Return whether a body is so small that it is read at once, whoever sends it; None is."""
    if "transfer-encoding" in headers or "expect" in headers:
        return False
    return int(headers.get("content-length", "0")) <= LARGEST_SHORT_BYTES


async def small_form(receive: Receive, headers: Mapping[str, str]) -> dict[str, str]:
    """
    Return the fields of a short form, empty for a body of any other type.

    For who may send before it is known who they are: nothing of theirs goes to disk.

    :raises TooLarge: more than LARGEST_SMALL_FORM_BYTES.
    """
    media_type, _ = parse_options_header(headers.get("content-type"))
    data = await _whole(receive, headers, most=LARGEST_SMALL_FORM_BYTES)
    return _form_fields(data) if media_type == b"application/x-www-form-urlencoded" else {}


async def small_json(receive: Receive, headers: Mapping[str, str]) -> Any:
    """
    Return the value of a short JSON text, None without one; for who may send before it is known who they are.

    :raises BadRequest: it is none.
    :raises TooLarge: more than LARGEST_SMALL_FORM_BYTES.
    """
    data = await _whole(receive, headers, most=LARGEST_SMALL_FORM_BYTES)
    return parse_json(data) if data else None


async def whole(receive: Receive, headers: Mapping[str, str]) -> bytes:
    """Return a body as it was sent; :raises TooLarge: more than LARGEST_BYTES."""
    return await _whole(receive, headers, most=LARGEST_BYTES)


async def drain(receive: Receive) -> None:
    """Read the rest of a request and forget it: some clients look for the answer only when they have sent all."""
    with contextlib.suppress(Disconnected):
        async for _ in _chunks(receive):
            pass


def has_body(headers: Mapping[str, str]) -> bool:
    """Return whether a body follows the headers."""
    return headers.get("content-length", "0").strip() != "0" or "transfer-encoding" in headers


def parse_json(data: bytes) -> Any:
    """Return the value of a JSON text.

    :raises BadRequest: it is none.
    """
    try:
        value = json.loads(data, parse_constant=_refuse_constant, parse_float=_finite, parse_int=_bounded)
        _refuse_deep(value)
        if b"\\ud" in data.lower():
            json.dumps(value, ensure_ascii=False).encode("utf-8")  # half a surrogate pair cannot be written down
        return value
    except (ValueError, RecursionError):
        raise BadRequest("Invalid JSON found.") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large a number")
    return number


def _bounded(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"{text[:20]}… is too large a number")
    return int(text)


def _refuse_deep(value: Any) -> None:
    """Refuse what only a parser can follow: writing it down again, level by level, takes more of the stack."""
    level, depth = [value], 0
    while level := [each for each in level if isinstance(each, dict | list)]:
        depth += 1
        if depth > _DEEPEST:
            raise ValueError(f"more than {_DEEPEST} levels")
        level = [one for each in level for one in (each.values() if isinstance(each, dict) else each)]


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        yield message.get("body", b"")
        more = message.get("more_body", False)


async def _whole(receive: Receive, headers: Mapping[str, str], *, most: int) -> bytes:
    if int(headers.get("content-length", "0")) > most:
        raise TooLarge(f"The body has more than {most} bytes")
    data = bytearray()
    async for chunk in _chunks(receive):
        data += chunk
        if len(data) > most:
            raise TooLarge(f"The body has more than {most} bytes")
    return bytes(data)


def _content_type(headers: Mapping[str, str]) -> tuple[str, bytes]:
    """Return media type and boundary."""
    media_type, options = parse_options_header(headers.get("content-type"))
    return media_type.decode("latin-1"), options.get(b"boundary", b"")


def _parsed(media_type: str, data: bytes) -> Body:
    if not data:
        return Body(media_type=media_type)
    if media_type == "application/x-www-form-urlencoded":
        return Body("form", fields=_form_fields(data), media_type=media_type)
    if media_type in ("", "application/json") or media_type.endswith("+json"):
        return Body("json", document=parse_json(data), media_type=media_type)
    return Body("bytes", data=data, media_type=media_type)


def _form_fields(data: bytes) -> dict[str, str]:
    try:
        return dict(urllib.parse.parse_qsl(data.decode("utf-8"), keep_blank_values=True, errors="strict"))
    except ValueError:
        raise BadRequest("The form is not UTF-8") from None


async def _fed(form: Form, receive: Receive, in_thread: InThread) -> Body:
    """Give the form to its parser in big pieces, in worker threads: the next one comes in while one is written."""
    arriving: list[bytes] = []
    size_bytes = 0
    writing = asyncio.ensure_future(in_thread(form.write, b""))
    try:
        async for chunk in _chunks(receive):
            arriving.append(chunk)
            size_bytes += len(chunk)
            if size_bytes >= CHUNK_BYTES:
                await writing
                writing = asyncio.ensure_future(in_thread(form.write, b"".join(arriving)))
                arriving, size_bytes = [], 0
        await writing
        writing = asyncio.ensure_future(in_thread(form.write, b"".join(arriving)))
    finally:
        await writing  # whatever happened: the form is discarded next, and must not be in use
    return await in_thread(form.finished)  # type: ignore[no-any-return]
