"""Whom a notification tells: a web address that takes a POST, or a person's e-mail address."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import quote, urlsplit, urlunsplit

from .api import BadRequest
from .fields import shown

_MACRO = re.compile(r"\$\{(\w+)\}")
_MAIL = re.compile(r"[^@\s/:,;<>\"()\[\]\\]{1,200}@[A-Za-z0-9.-]{1,200}")
_IN_A_PATH = "/:@!$&'()*+,;=~"  # RFC 3986: what ends no path stays as it is
_LONGEST = 4096


def check(target: str) -> None:
    """:raises BadRequest: it is no address that this tenant can tell."""
    if len(target) > _LONGEST:
        raise BadRequest(f"Invalid 'notification.url' value. It has at most {_LONGEST} characters; got {len(target)}.")
    scheme, separator, _ = target.partition("://")
    if separator and scheme.lower() == "agave":
        raise BadRequest(
            "Invalid 'notification.url' value. This sandbox tells no agave:// addresses: give a web or e-mail address."
        )
    if not is_mail(target):
        _check_web(target)


def is_mail(target: str) -> bool:
    """Return whether a target is an e-mail address."""
    return _MAIL.fullmatch(target) is not None


def filled(target: str, values: Mapping[str, str]) -> str:
    """Return the target with its macros replaced: raw in a path, encoded in a query; unknown ones stay."""
    if is_mail(target):
        return _replaced(target, values, str)
    parts = urlsplit(target)
    path = _replaced(parts.path, values, lambda value: quote(value, safe=_IN_A_PATH))
    query = _replaced(parts.query, values, lambda value: quote(value, safe=""))
    return urlunsplit((parts.scheme, parts.netloc, path, query, ""))


def _replaced(text: str, values: Mapping[str, str], encoded: Callable[[str], str]) -> str:
    return _MACRO.sub(lambda found: encoded(values[found[1]]) if found[1] in values else found[0], text)


def _check_web(target: str) -> None:
    try:
        parts = urlsplit(target)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if not known or re.search(r"[\s\x00-\x1f\x7f]", target):
        raise BadRequest(
            f"Invalid 'notification.url' value. It is a web address (http or https) or an e-mail address; "
            f"got {shown(target)}."
        )
    if "${" in parts.netloc:
        raise BadRequest("Invalid 'notification.url' value. Macros stand in the path and the query, not in the host.")
