"""MongoDB's shell notation: JSON, and what people write instead of it.

Texts may have single quotes, keys need no quotes, ``True``, ``False`` and ``None`` are known as Python writes them,
a last comma does no harm, and ``/expression/i`` is a regular expression.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

DEEPEST = 50  # levels of objects and arrays
_MOST_DIGITS = 300  # more than that no float holds
_WORDS = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>"(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*')
      | (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w$]))
      | (?P<expression>/(?:[^/\\\n]|\\.)+/[imsx]*)
      | (?P<word>[A-Za-z_$][\w.$-]*)
      | (?P<sign>[{}\[\],:])
      | (?P<end>$)
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", re.DOTALL)


def read(text: str) -> Any:
    """
    Return the value a text spells.

    :raises ValueError: it spells none; the message says where it goes wrong.
    """
    reader = _Reader(text)
    value = reader.value()
    if reader.kind != "end":
        raise reader.refusal("the end")
    return value


class _Reader:
    """Reads token by token; ``kind`` and ``lexeme`` are the next one."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = self._start = self._depth = 0
        self._advance()

    def _advance(self) -> None:
        match = _TOKEN.match(self._text, self._position)
        if match is None:
            raise ValueError(f"nothing sensible at character {self._position}: {self._text[self._position :][:20]!r}")
        self.kind = str(match.lastgroup)
        self.lexeme = match[self.kind]
        self._start, self._position = match.start(self.kind), match.end()

    def refusal(self, wanted: str) -> ValueError:
        return ValueError(f"expected {wanted} at character {self._start}, found {self.lexeme[:20] or 'the end'!r}")

    def value(self) -> Any:
        kind, token = self.kind, self.lexeme
        if token in ("{", "["):
            return self._nested(token)
        if kind == "word" and token not in _WORDS:
            raise self.refusal("a value")
        if kind not in _READERS:
            raise self.refusal("a value")
        value = _READERS[kind](token)
        self._advance()
        return value

    def _nested(self, opening: str) -> Any:
        self._depth += 1
        if self._depth > DEEPEST:
            raise ValueError(f"more than {DEEPEST} levels")
        self._advance()
        value = self._object() if opening == "{" else self._array()
        self._depth -= 1
        self._advance()
        return value

    def _object(self) -> dict[str, Any]:
        found = {}
        while self.lexeme != "}":
            key = self._key()
            found[key] = self.value()
            self._separated("}")
        return found

    def _array(self) -> list[Any]:
        found = []
        while self.lexeme != "]":
            found.append(self.value())
            self._separated("]")
        return found

    def _key(self) -> str:
        if self.kind not in ("text", "word"):
            raise self.refusal("a key")
        key = _unquoted(self.lexeme) if self.kind == "text" else self.lexeme
        self._advance()
        if self.lexeme != ":":
            raise self.refusal("':'")
        self._advance()
        return key

    def _separated(self, closing: str) -> None:
        if self.kind == "sign" and self.lexeme == ",":
            self._advance()
        elif self.kind != "sign" or self.lexeme != closing:
            raise self.refusal(f"',' or '{closing}'")


def _unquoted(token: str) -> str:
    text = _ESCAPE.sub(_character, token[1:-1])
    try:
        # Two halves of a surrogate pair, each escaped, are one character; half a pair is none.
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeError:
        raise ValueError(f"half a character in {token[:20]!r}") from None


def _character(match: re.Match[str]) -> str:
    escape = match[1]
    return chr(int(escape[1:], 16)) if len(escape) > 1 else _ESCAPES.get(escape, escape)


def _number(token: str) -> int | float:
    if re.fullmatch(r"[+-]?\d+", token):
        if len(token) > _MOST_DIGITS:
            raise ValueError(f"{token[:20]}… is too large a number")
        return int(token)
    number = float(token)
    if not math.isfinite(number):
        raise ValueError(f"{token[:20]} is too large a number")
    return number


def _expression(token: str) -> dict[str, str]:
    pattern, _, options = token[1:].rpartition("/")
    return {"$regex": pattern.replace("\\/", "/"), "$options": options}


_READERS: dict[str, Callable[[str], Any]] = {
    "text": _unquoted,
    "number": _number,
    "expression": _expression,
    "word": _WORDS.__getitem__,
}
