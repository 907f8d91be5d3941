"""From a routed request to the keywords a service's method takes, checked against the YAML."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from .api import NOTHING, BadRequest, TooLarge
from .bodies import parse_json
from .envelope import is_true
from .forms import LARGEST_BYTES, Body
from .routing import Match, Operation
from .search import bounds, whole_number

# Dealt with by the front for every operation; a method that names one gets it all the same.
FRONT_OWNED = ("limit", "offset", "filter", "naked", "pretty")
_NO = ("", "false", "0", "no", "off")


def keywords(match: Match, query: Mapping[str, str], body: Body, *, method: Callable[..., Any]) -> dict[str, Any]:
    """
    Return the keywords for ``method``: path, query, form and body parameters, those absent left out.

    :raises BadRequest: one is missing or malformed.
    """
    wanted = names(method)
    values: dict[str, Any] = dict(match.path)
    for parameter in match.operation.located("query"):
        if parameter["name"] not in FRONT_OWNED:
            _take(values, parameter, query.get(parameter["name"]))
    if "limit" in wanted:
        values |= {name: value for name, value in _paging(query).items() if name in wanted}
    if match.operation.located("formData"):
        values |= _form(match.operation, body)
    declared = match.operation.body or ({"name": "body"} if "body" in wanted else None)
    return values | (_document(match.operation, declared, body) if declared else {})


def takes_body(operation: Operation, method: Callable[..., Any]) -> bool:
    """Return whether a request body means anything to it. Some methods take one that their YAML does not declare."""
    declared = any(each["in"] in ("body", "formData") for each in operation.parameters)
    return declared or "body" in names(method)


def pages_itself(method: Callable[..., Any]) -> bool:
    """Return whether a method takes ``limit``, and so answers one page already."""
    return "limit" in names(method)


def names(method: Callable[..., Any]) -> frozenset[str]:
    """Return the names of a method's parameters."""
    return _names(getattr(method, "__func__", method))


@functools.cache
def _names(function: Callable[..., Any]) -> frozenset[str]:
    return frozenset(inspect.signature(function).parameters)  # 20 µs: not for every request


def _paging(query: Mapping[str, str]) -> dict[str, int]:
    limit, offset = bounds(query)
    return {"limit": limit, "offset": offset}


def _form(operation: Operation, body: Body) -> dict[str, Any]:
    sent: dict[str, Any] = dict(body.fields)
    if isinstance(body.document, dict):
        sent = body.document  # the same fields, as JSON
    values: dict[str, Any] = {}
    for parameter in operation.located("formData"):
        if parameter.get("type") == "file":
            _take(values, parameter, body.uploads.get(parameter["name"]))
        else:
            _take(values, parameter, sent.get(parameter["name"]) or None)  # an empty field means: not given
    return values


def _take(values: dict[str, Any], parameter: Mapping[str, Any], value: Any) -> None:
    name = parameter["name"]
    if value is not None:
        value = _converted(parameter, value) if isinstance(value, str) else value
    if value is not None:
        values[name] = value
    elif parameter.get("required"):
        raise BadRequest(f"Missing required parameter {name}")


def _converted(parameter: Mapping[str, Any], text: str) -> Any:
    """Return the value a text spells, by the parameter's declared type; None for a blank that is not a string."""
    name, kind = parameter["name"], parameter.get("type")
    if kind in ("integer", "boolean") and not text.strip():
        return None
    if kind == "integer":
        return whole_number(text, name)
    if kind == "boolean":
        return _boolean(text, name)
    return parse_json(text.encode()) if parameter.get("x-json") else text


def _boolean(text: str, name: str) -> bool:
    if not is_true(text) and text.strip().lower() not in _NO:
        raise BadRequest(f"Illegal boolean value for {name}")
    return is_true(text)


def _document(operation: Operation, parameter: Mapping[str, Any], body: Body) -> dict[str, Any]:
    value = _body_value(operation, body)
    if value is not NOTHING:
        return {parameter["name"]: value}
    if parameter.get("required"):
        raise BadRequest("No content found in the request body")
    return {}


def _body_value(operation: Operation, body: Body) -> Any:
    if body.kind == "json":
        return body.document
    if body.kind == "form":
        return body.fields
    if body.kind == "multipart":
        return _multipart_value(body)
    if body.kind == "bytes" and body.media_type in operation.consumes:
        return body.data
    if body.kind == "bytes":
        raise BadRequest(f"Unsupported content type {body.media_type}")
    return NOTHING


def _multipart_value(body: Body) -> Any:
    """Return the JSON document in the part ``fileToUpload``, or else the text fields."""
    upload = body.uploads.get("fileToUpload")
    if upload is None:
        return body.fields or NOTHING
    if upload.size_bytes > LARGEST_BYTES:
        raise TooLarge(f"The document has more than {LARGEST_BYTES} bytes")
    return parse_json(upload.path.read_bytes()) if upload.size_bytes else NOTHING
