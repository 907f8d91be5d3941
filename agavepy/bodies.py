"""Request bodies: sent as they are given; where they depart from their model, that is said."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from typing import Any

from . import specs
from .errors import BodyError
from .records import to_json
from .specs import Document, OperationSpec, Parameter

log = logging.getLogger("agavepy")

MODES = ("off", "warn", "error")
JSON = "application/json"
BINARY = "application/octet-stream"
FORM = "application/x-www-form-urlencoded"

_said: set[tuple[str, str]] = set()  # (operation, departure), once a process


def encode(value: Any) -> tuple[bytes, str]:
    """Return a body and its content type: text and bytes as given, anything else as JSON (dates in ISO 8601)."""
    if isinstance(value, str):
        return value.encode(), JSON
    if isinstance(value, (bytes, bytearray)):
        return bytes(value), BINARY
    return to_json(value).encode(), JSON


def encode_form(given: list[tuple[Parameter, Any]]) -> tuple[Any, str]:
    """
    Return form parameters as a body and its content type: multipart and streamed where one is a file.

    :raises TypeError: the file is text, or has no name and none is given as ``fileName``.
    """
    fields = [
        (parameter.name, _field(parameter, value)) for parameter, value in given if not _is_file(parameter, value)
    ]
    files = [(parameter.name, value) for parameter, value in given if _is_file(parameter, value)]
    if not files:
        import urllib.parse

        return urllib.parse.urlencode(fields).encode(), FORM
    from .multipart import MultipartBody

    (name, file), file_name = files[0], dict(fields).get("fileName")
    body = MultipartBody(fields, name, file, file_name=lambda: file_name or _name_of(file))
    return body, body.content_type


def check(document: Document, spec: OperationSpec, parameter: Parameter, data: bytes, *, mode: str) -> None:
    """
    Compare a JSON body with its model; a departure is logged at WARNING, once a process.

    :raises BodyError: the body departs and ``mode`` is "error".
    """
    departures = list(_departures(document, parameter, data))
    if departures and mode == "error":
        raise BodyError(f"{spec.name}: {'; '.join(departures)}. See help(ag.{spec.name}).")
    for departure in departures:
        if (spec.name, departure) not in _said:
            _said.add((spec.name, departure))
            log.warning("%s: %s (sent all the same)", spec.name, departure)


def _departures(document: Document, parameter: Parameter, data: bytes) -> Iterator[str]:
    schema = parameter.raw.get("schema", {})
    if not schema:
        return
    try:
        value = json.loads(data)
    except ValueError:
        yield f"{parameter.name} is not JSON"
        return
    with specs.lock:
        validator = document.body_validator()(schema, format_checker=document.bravado().format_checker)
        yield from sorted(_said_plainly(parameter.name, error) for error in validator.iter_errors(value))


def _said_plainly(name: str, error: Any) -> str:
    """Say what departs without the value itself: it may be a password."""
    place = ".".join([name, *map(str, error.absolute_path)])
    if error.validator == "required":
        return f"{place}: {error.message}"
    seen = type(error.instance).__name__
    if error.validator == "type":
        return f"{place} should be of type {error.validator_value}, not {seen}"
    if error.validator == "enum":
        return f"{place} should be one of {', '.join(map(str, error.validator_value))}"
    return f"{place} ({seen}) breaks the rule {error.validator}: {error.validator_value}"


def _is_file(parameter: Parameter, value: Any) -> bool:
    return parameter.type == "file" and not isinstance(value, str)


def _field(parameter: Parameter, value: Any) -> str:
    if parameter.raw.get("x-json"):
        return value if isinstance(value, str) else to_json(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _name_of(file: Any) -> str:
    name = getattr(file, "name", None)
    if not isinstance(name, (str, bytes, os.PathLike)):  # BytesIO has none, a file descriptor's is a number
        raise TypeError("the file to upload has no name of its own: pass fileName='…' too")
    return os.path.basename(os.fsdecode(name))
