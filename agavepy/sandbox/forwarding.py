"""Requests for APIs that administrators put behind the gateway: passed on to the service, its answer passed back."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import requests

from .answers import Answer
from .envelope import VERSION

_TIMEOUT_S = (5, 60)  # to connect; between two pieces
_LIMIT_S = 300.0  # of a whole answer: a service that drips would never be late between two pieces
_MOST_BYTES = 16 << 20  # of an answer
_SENT_ON = ("accept", "accept-language", "content-type", "if-match", "if-none-match", "range", "user-agent")
_SENT_BACK = ("cache-control", "content-disposition", "content-range", "etag", "last-modified", "location")
_CHUNK_BYTES = 1 << 16


def forward(url: str, method: str, headers: Mapping[str, str], body: bytes, *, user: str) -> Answer:
    """
    Return the answer of the service behind an API.

    :param headers: of the request; neither the token nor anything about the connection is passed on.
    :param user: who calls, told in ``X-Agave-User``; empty for an API that is open.
    """
    sent = {name: headers[name] for name in _SENT_ON if name in headers} | ({"x-agave-user": user} if user else {})
    try:
        with requests.Session() as session:
            session.trust_env = False  # the server's own ~/.netrc and proxies are not the caller's to use
            answer = session.request(
                method, url, headers=sent, data=body, timeout=_TIMEOUT_S, stream=True, allow_redirects=False
            )
            return _relayed(answer)
    except requests.RequestException as problem:
        return _failure(f"The service behind this API cannot be reached: {type(problem).__name__}")


def _relayed(answer: requests.Response) -> Answer:
    data, end = bytearray(), time.monotonic() + _LIMIT_S
    for piece in answer.iter_content(_CHUNK_BYTES):
        data += piece
        if len(data) > _MOST_BYTES:
            return _failure(f"The service behind this API answered more than {_MOST_BYTES} bytes.")
        if time.monotonic() > end:
            return _failure(f"The service behind this API took longer than {_LIMIT_S:g} s.")
    kept = {name: answer.headers[name] for name in _SENT_BACK if name in answer.headers}
    media_type = answer.headers.get("content-type", "application/octet-stream")
    return Answer(answer.status_code, bytes(data), media_type=media_type, headers=kept)


def _failure(message: str) -> Answer:
    body: dict[str, Any] = {"status": "error", "message": message, "version": VERSION}
    return Answer(502, json.dumps(body, separators=(",", ":")).encode())
