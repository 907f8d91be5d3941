"""Agave's envelope around a result, and around a refusal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .answers import Answer
from .api import (
    NOTHING,
    ApiError,
    BadRequest,
    Forbidden,
    NoSpace,
    NotFound,
    TooLarge,
    Unauthorized,
    Unreachable,
    Unsupported,
)
from .services import Service

# The version that captured samples carry; clients compare it as text to choose between job models.
VERSION = "2.2.22-r7deb380"

STATUS_OF_OUTCOME = {"ok": 200, "created": 201, "accepted": 202}
STATUS_OF_ERROR: dict[type[ApiError], int] = {
    BadRequest: 400,
    Unauthorized: 401,
    Forbidden: 403,
    NotFound: 404,
    Unreachable: 412,
    TooLarge: 413,
    Unsupported: 501,
    NoSpace: 507,
    ApiError: 500,
}

# Made once: json.dumps() makes one for each text. Results are trees, so that no circles need be looked for.
_COMPACT = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False)
_INDENTED = json.JSONEncoder(indent=2, separators=(",", ": "), allow_nan=False, check_circular=False)


def success(
    status: int,
    result: Any,
    *,
    message: str | None,
    query: Mapping[str, str],
    keys: tuple[str, ...] = Service.envelope_keys,
) -> Answer:
    """Return the envelope; ``result`` NOTHING leaves its key away, ``naked`` and ``pretty`` are honoured."""
    return _wrapped(status, "success", message, result, query, keys)


def refusal(
    error: ApiError,
    *,
    result: Any = NOTHING,
    query: Mapping[str, str],
    keys: tuple[str, ...] = Service.envelope_keys,
) -> Answer:
    """Return the error's envelope with its status; ``result`` is for services that send one with errors."""
    status = next(STATUS_OF_ERROR[each] for each in type(error).__mro__ if each in STATUS_OF_ERROR)
    return _wrapped(status, "error", str(error), result, query, keys)


def failure(*, query: Mapping[str, str]) -> Answer:
    """Return what a caller may know of an unexpected error: that there was one."""
    return _wrapped(500, "error", "The sandbox failed; its log says why.", NOTHING, query, Service.envelope_keys)


def is_true(text: str | None) -> bool:
    """Return whether a query value says yes; programs send ``True``, ``true`` and ``1``."""
    return (text or "").strip().lower() in ("true", "1", "yes", "on")


def _wrapped(
    status: int, outcome: str, message: str | None, result: Any, query: Mapping[str, str], keys: tuple[str, ...]
) -> Answer:
    encoder = _INDENTED if is_true(query.get("pretty")) else _COMPACT
    if is_true(query.get("naked")):
        return Answer(status, b"" if result is NOTHING else _json(result, encoder))
    values = {"status": outcome, "message": message, "version": VERSION, "result": result}
    return Answer(status, _json({key: values[key] for key in keys if values[key] is not NOTHING}, encoder))


def _json(value: Any, encoder: json.JSONEncoder) -> bytes:
    return encoder.encode(value).encode("ascii")
