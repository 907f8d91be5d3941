"""The errors that are exceptions of requests too; reached through :mod:`agavepy.errors`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import requests

from . import environment
from .errors import AgaveException, AgavepyError
from .paths import redact

_LONGEST_SEARCH = 20_000  # bytes of an error page that are looked through
_LONGEST_MESSAGE = 500  # characters of a server's text that are worth reading


class AgaveHTTPError(AgavepyError, requests.exceptions.HTTPError):
    """
    The server answered with status 400 or more, or with a redirect that leads nowhere.

    ``response``, ``status_code``, ``operation`` ("jobs.submit" or empty), ``message`` (the service's own text),
    ``hint`` (what to do about it, or empty) and ``request_id`` (or None). The text begins as that of requests does:
    ``404 Client Error: Not Found for url: …``.
    """

    def __init__(
        self, *args: Any, response: requests.Response, operation: str = "", message: str = "", hint: str = ""
    ) -> None:
        requests.exceptions.HTTPError.__init__(self, *args, response=response, request=response.request)
        self.status_code = response.status_code
        self.operation = operation
        self.message = message
        self.hint = hint
        self.request_id = response.headers.get("X-Request-Id")

    def __reduce__(self) -> tuple[Any, ...]:
        # Without the request: its headers hold a token.
        facts = (self.response.status_code, self.response.reason, redact(self.response.url), self.response.content)
        return _again, (type(self), self.args, *facts, self.operation, self.message, self.hint)


class GatewayFault(AgaveHTTPError, AgaveException):
    """The gateway refused the call before any service saw it; ``args[0]`` is the parsed body."""

    def __str__(self) -> str:
        return _text(self.response, self.message, self.hint)


def from_response(response: requests.Response, operation: str = "", *, hint: str = "") -> AgaveHTTPError:
    """
    Return the error that an answer stands for; its content has been read.

    :param hint: what to do about it, at the end of the text.
    """
    body = _parse(response)
    message = _message(response, body)
    if isinstance(body, dict) and isinstance(body.get("fault"), dict):
        return GatewayFault(body, response=response, operation=operation, message=message, hint=hint)
    text = _text(response, message, hint)
    return AgaveHTTPError(text, response=response, operation=operation, message=message, hint=hint)


def received(
    *, status: int, reason: str | None, url: str, content: str, headers: Mapping[str, str] | None = None
) -> requests.Response:
    """Return an answer that was received elsewhere; ``content`` holds a byte in each character."""
    response = requests.Response()
    response.status_code, response.reason, response.url = status, reason, url
    response.headers.update(headers or {})
    response._content = content.encode("latin-1")
    return response


def _text(response: requests.Response, message: str, hint: str) -> str:
    side = {3: "Redirection", 4: "Client"}.get(response.status_code // 100, "Server")
    reason = response.reason or "Unknown"
    text = f"{response.status_code} {side} Error: {reason} for url: {redact(response.url)}"
    if not environment.is_true("TAPIS_PY_VERBOSE_ERRORS", default=True):
        return text
    return " - ".join(filter(None, [text, message, hint]))


def _parse(response: requests.Response) -> Any:
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):  # not JSON, or not even text, or brackets without end
        return None


def _message(response: requests.Response, body: Any) -> str:
    if isinstance(body, dict):
        return _from_json(body)
    text = response.content[:_LONGEST_SEARCH].decode(errors="replace").strip()
    found = re.search(r"(?i)<(?:ams?:)?(?:message|title)>([^<]*)<", text)  # a fault in XML, or a page in HTML
    if found is None and "<html" in text[:1000].lower():
        return "an HTML page without a title"
    return _shorten(found.group(1) if found else text)


def _from_json(body: dict[str, Any]) -> str:
    fault = body.get("fault")
    if isinstance(fault, dict):
        return _shorten(str(fault.get("message", "")))
    for key in ("message", "Message", "error_description", "error"):
        if body.get(key):
            return _shorten(str(body[key]))
    return ""


def _shorten(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]}…"


def _again(
    kind: type[AgaveHTTPError],
    args: Any,
    status: int,
    reason: str,
    url: str,
    content: bytes,
    operation: str,
    message: str,
    hint: str = "",
) -> AgaveHTTPError:
    response = received(status=status, reason=reason, url=url, content=content.decode("latin-1"))
    return kind(*args, response=response, operation=operation, message=message, hint=hint)
