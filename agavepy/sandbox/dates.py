"""Dates as search terms spell them."""

from __future__ import annotations

import datetime
import re

from .api import BadRequest

_UNIT_SECONDS = {
    "second": 1,
    "minute": 60,
    "hour": 3600,
    "day": 86400,
    "week": 604800,
    "month": 2592000,
    "year": 31536000,
}
_DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}


def date(text: str, name: str, *, now: float) -> float:
    """
    Return the seconds since the epoch that a date term means: ISO 8601, milliseconds since the epoch, or
    ``now``, ``today``, ``yesterday``, ``tomorrow``, ``2 weeks ago``.

    :raises BadRequest: none of these.
    """
    words = text.strip().lower()
    if re.fullmatch(r"-?\d{5,15}", words):
        return int(words) / 1000
    if words == "now":
        return now
    if words in _DAYS:
        return _midnight(now) + _DAYS[words] * _UNIT_SECONDS["day"]
    ago = re.fullmatch(rf"(\d{{1,6}}|an?) ({'|'.join(_UNIT_SECONDS)})s? ago", words)
    if ago:
        return now - (1 if ago[1].startswith("a") else int(ago[1])) * _UNIT_SECONDS[ago[2]]
    try:
        return from_iso(text.strip())
    except (ValueError, OverflowError):
        raise BadRequest(f"Illegal date value for {name}") from None


def from_iso(text: str) -> float:
    """Return the seconds since the epoch of an ISO 8601 text; without an offset it is this machine's time.

    :raises ValueError: it is none.
    """
    # A + that a program forgot to quote arrives as a blank; Python 3.10 reads no Z and only whole colons.
    text = re.sub(r" (\d\d:?\d\d)$", r"+\1", text).replace("Z", "+00:00").replace("z", "+00:00")
    return datetime.datetime.fromisoformat(re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", text)).timestamp()


def _midnight(now: float) -> float:
    today = datetime.datetime.fromtimestamp(now)
    return today.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
