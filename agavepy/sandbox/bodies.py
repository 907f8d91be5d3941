"""What comes in: JSON, form fields, and files straight to disk."""

from __future__ import annotations

import contextlib
import json
import urllib.parse
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from python_multipart.multipart import parse_options_header

from .answers import CHUNK_BYTES, InThread, Receive
from .api import BadRequest, TooLarge
from .forms import LARGEST_BYTES, Body, Form


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
    media_type, options = parse_options_header(headers.get("content-type"))
    if media_type == b"multipart/form-data":
        form = Form(options.get(b"boundary", b""), new_path)
        try:
            yield await _fed(form, receive, in_thread)
        finally:
            await in_thread(form.discard)
    else:
        yield _parsed(media_type.decode("latin-1"), await _whole(receive, headers))


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
        value = json.loads(data, parse_constant=_refuse_constant)
        if b"\\ud" in data.lower():
            json.dumps(value, ensure_ascii=False).encode("utf-8")  # half a surrogate pair cannot be written down
        return value
    except (ValueError, RecursionError):
        raise BadRequest("Invalid JSON found.") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        yield message.get("body", b"")
        more = message.get("more_body", False)


async def _whole(receive: Receive, headers: Mapping[str, str]) -> bytes:
    if int(headers.get("content-length", "0")) > LARGEST_BYTES:
        raise TooLarge(f"The body has more than {LARGEST_BYTES} bytes")
    data = bytearray()
    async for chunk in _chunks(receive):
        data += chunk
        if len(data) > LARGEST_BYTES:
            raise TooLarge(f"The body has more than {LARGEST_BYTES} bytes")
    return bytes(data)


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
    """Give the form to its parser in big pieces, in worker threads: parsing and writing keep the loop free."""
    waiting = bytearray()
    async for chunk in _chunks(receive):
        waiting += chunk
        if len(waiting) >= CHUNK_BYTES:
            await in_thread(form.write, bytes(waiting))
            waiting.clear()
    await in_thread(form.write, bytes(waiting))
    return await in_thread(form.finished)  # type: ignore[no-any-return]
