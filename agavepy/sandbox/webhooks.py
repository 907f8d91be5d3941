"""One POST to an address of the web: bounded in time and in what is read of the answer; no redirect is followed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import requests
import urllib3

from .downloads import Interruption, limited, session
from .imports import without_password

_TIMEOUT_S = (20, 10)  # to connect; between two pieces
_LIMIT_S = 60.0  # of the whole: an answer that drips would never be late between two pieces
_KEPT_BYTES = 1000  # of an answer that is no success, for the record


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a delivery."""

    success: bool
    message: str
    code: int | None = None  # the HTTP status, where there was one
    hopeless: bool = False  # trying again cannot help


def post(url: str, body: bytes, headers: Mapping[str, str], *, interruption: Interruption) -> Outcome:
    """Send a body; a user name and password in the URL go along as basic authentication, nothing else does."""
    shown = without_password(url).partition("?")[0]  # a query may hold the whole resource
    try:
        with (
            limited(interruption, _LIMIT_S, shown=shown),
            interruption.collecting(),
            session(url, interruption) as line,
            line.post(
                url, data=body, headers=dict(headers), timeout=_TIMEOUT_S, allow_redirects=False, stream=True
            ) as answer,
        ):
            return _outcome(answer)
    # requests lets some of urllib3's errors about host names through, and Python's own about their encoding.
    except (OSError, urllib3.exceptions.HTTPError, UnicodeError) as problem:
        return Outcome(False, f"{shown} cannot be reached: {interruption.reason or type(problem).__name__}")


def _outcome(answer: requests.Response) -> Outcome:
    told = f"{answer.status_code} {answer.reason or ''}".rstrip()
    if 200 <= answer.status_code < 300:
        return Outcome(True, told, answer.status_code)
    return Outcome(False, f"{told} {_beginning(answer)}".rstrip(), answer.status_code)


def _beginning(answer: requests.Response) -> str:
    try:
        return next(answer.iter_content(_KEPT_BYTES), b"").decode("utf-8", "replace")
    except requests.RequestException:
        return ""  # the status is what counts; its text is only for the record
