"""One JSON object of a request: its fields are read by name, and a refusal names the field."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from .api import BadRequest

_YES = ("true", "1", "on", "yes")
_NO = ("false", "0", "off", "no")
_GIGABYTES = {"M": 1 / 1024, "G": 1, "T": 1024, "P": 1024**2, "E": 1024**3}


class Fields:
    """
    Reads typed fields of one object; an absent field and null are the same.

    :raises BadRequest: by every method; the text starts with ``Invalid 'app.version' value.``
    """

    def __init__(self, given: Any, *, within: str) -> None:
        if not isinstance(given, Mapping):
            raise BadRequest(f"Invalid '{within}' value. It is a JSON object; got {shown(given)}.")
        _refuse_unwritable(given, within)
        self._given = given
        self.within = within

    def get(self, name: str) -> Any:
        """Return the field as it came, or None."""
        return self._given.get(name)

    def refusal(self, name: str, why: str) -> BadRequest:
        """Return the error to raise about a field."""
        return BadRequest(f"Invalid '{self.within}.{name}' value. {why}")

    def text(self, name: str, *, longest: int = 255) -> str:
        """Return a text that must be there and not be blank."""
        value = self._given.get(name)
        if not isinstance(value, str) or not value.strip():
            raise self.refusal(name, f"Please provide a text that is not empty; got {shown(value)}.")
        if len(value) > longest:
            raise self.refusal(name, f"It has at most {longest} characters; got {len(value)}.")
        return value

    def free_text(self, name: str, *, default: str | None = None) -> str | None:
        """Return any text, or ``default`` when it is absent."""
        value = self._given.get(name)
        if value is not None and not isinstance(value, str):
            raise self.refusal(name, f"It is a text; got {shown(value)}.")
        return default if value is None else value

    def texts(self, name: str) -> list[str]:
        """Return a list of texts; absent is empty."""
        value = self._given.get(name) or []
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise self.refusal(name, f"It is an array of texts; got {shown(value)}.")
        return list(value)

    def choice(self, name: str, choices: Collection[str]) -> str:
        """Return one of ``choices``, which are in upper case; the given one may be in any."""
        value = self._given.get(name)
        if not isinstance(value, str) or value.upper() not in choices:
            raise self.refusal(name, f"Value must be one of: {', '.join(choices)}; got {shown(value)}.")
        return value.upper()

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a truth value; ``true``, 1, ``on`` and their likes, in any case, will do."""
        value = self._given.get(name)
        if value is None or value == "":
            return default
        found = truth(value)
        if found is None:
            raise self.refusal(name, f"It is true or false; got {shown(value)}.")
        return found

    def whole(self, name: str, *, default: int, least: int = 1, digits: bool = False) -> int:
        """Return a whole number; ``digits``: also as text."""
        value = self._given.get(name)
        if value is None or (digits and value == ""):
            return default
        if digits and isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,9}", value.strip()):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**31:
            raise self.refusal(name, f"It is a whole number of at least {least}; got {shown(value)}.")
        return value

    def gigabytes(self, name: str, *, default: float | None) -> float | None:
        """Return GB, from a number or a text such as ``2GB``, ``512MB`` or ``1``."""
        value = self._given.get(name)
        if value is None or value == "":
            return default
        size = _gigabytes(value)
        if size is None or not 0 < size < 2**31:
            raise self.refusal(name, f"It is a number of GB above 0, or a text such as 2GB; got {shown(value)}.")
        return size

    def duration(self, name: str) -> str | None:
        """Return ``hh:mm:ss``, filled up with zeros; None when it is absent. Hours may exceed 24."""
        value = self._given.get(name)
        if value is None or value == "":
            return None
        match = re.fullmatch(r"([0-9]{1,4}):([0-5]?[0-9]):([0-5]?[0-9])", value) if isinstance(value, str) else None
        if match is None:
            raise self.refusal(name, f"It is a time in the format hh:mm:ss; got {shown(value)}.")
        return ":".join(part.zfill(2) for part in match.groups())

    def object(self, name: str) -> Fields:
        """Return the object in a field; an absent one has no fields."""
        value = self._given.get(name)
        return Fields({} if value is None else value, within=f"{self.within}.{name}")

    def objects(self, name: str) -> list[Fields]:
        """Return the objects of an array; absent is empty."""
        value = self._given.get(name) or []
        if not isinstance(value, list):
            raise self.refusal(name, f"It is an array of objects; got {shown(value)}.")
        return [Fields(entry, within=f"{self.within}.{name}[{number}]") for number, entry in enumerate(value)]


def truth(value: Any) -> bool | None:
    """Return the truth value that a JSON value or a text means; None when it means none."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    return True if word in _YES else False if word in _NO else None


def shown(value: Any) -> str:
    """Return a value as messages show it, cut to a bearable length."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def seconds(duration: str) -> int:
    """Return the seconds of ``hh:mm:ss``."""
    hours, minutes, rest = (int(part) for part in duration.split(":"))
    return hours * 3600 + minutes * 60 + rest


def _refuse_unwritable(given: Any, within: str) -> None:
    """Refuse texts that no file, process or database takes: with a NUL or half a surrogate pair."""
    waiting = [given]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            waiting += [*value, *value.values()]
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, str) and re.search("[\0\ud800-\udfff]", value):
            raise BadRequest(f"Invalid '{within}' value. It holds a character that no text has: {shown(value)}.")


def _gigabytes(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*(?:([EPTGM])B?)?", str(value).strip(), re.IGNORECASE)
    return float(match[1]) * _GIGABYTES[(match[2] or "G").upper()] if match else None
