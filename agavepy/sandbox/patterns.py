"""What users write to find texts: wildcards and regular expressions, none of which can hold up the tenant.

``re`` backtracks: a few characters keep it busy for hours, and nothing can interrupt it. An engine of linear time
would be one more compiled dependency, and telling the bad expressions from the good needs a theory of all of
``re``. So expressions are tried in a process of their own, which the kernel ends after a second of computing: that
is sound whatever they say. It costs 20 ms; the plainest ones, which repeat at most one thing, are tried right here.
"""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from collections.abc import Sequence

LONGEST_PATTERN = 1000  # characters
LONGEST_TEXT = 10_000
_QUICK_TEXT = 255
_LIMIT_S = 1  # of computing
_PATIENCE_S = 30  # of waiting for that, on a machine that has other things to do

_CODE = f"""
import json, re, resource, sys
resource.setrlimit(resource.RLIMIT_CPU, ({_LIMIT_S}, {_LIMIT_S}))
answers = []
for pattern, flags, texts in json.load(sys.stdin):
    try:
        search = re.compile(pattern, flags).search
        answers.append([search(text) is not None for text in texts])
    except (re.error, OverflowError, RecursionError) as problem:
        answers.append(str(problem) or type(problem).__name__)
json.dump(answers, sys.stdout)
"""


@dataclasses.dataclass(frozen=True)
class Question:
    """A regular expression, and the texts it is to be found in; without any it is only parsed."""

    pattern: str
    texts: Sequence[str] = ()
    ignore_case: bool = False


class BadPattern(Exception):
    """A pattern is none, or too long, or its text is; the message says so in half a sentence."""


class TooCostly(Exception):
    """It would take too long to find out."""


def like(text: str, pattern: str) -> bool:
    """Return whether the whole text fits a pattern in which ``*`` stands for anything; case does not count."""
    text = text.lower()
    first, *pieces = pattern.lower().split("*")
    if not pieces:
        return text == first
    last = pieces.pop()
    if len(text) < len(first) + len(last) or not (text.startswith(first) and text.endswith(last)):
        return False
    position, end = len(first), len(text) - len(last)
    for piece in pieces:  # the leftmost place for each leaves most to the others: there is nothing to try again
        found = text.find(piece, position, end)
        if found < 0:
            return False
        position = found + len(piece)
    return True


def answers(questions: Sequence[Question]) -> list[list[bool] | BadPattern]:
    """
    Return for each question in which of its texts the expression was found, or what is wrong with it.

    :raises TooCostly: it took more than a second, all together.
    """
    sizes = [_oversized(each) for each in questions]
    slow = [each for each, size in zip(questions, sizes, strict=True) if not size and not _is_quick(each)]
    found = iter(_asked_elsewhere(slow) if slow else [])
    return [
        BadPattern(size) if size else _tried(each) if _is_quick(each) else next(found)
        for each, size in zip(questions, sizes, strict=True)
    ]


def _oversized(question: Question) -> str:
    if len(question.pattern) > LONGEST_PATTERN:
        return f"it has {len(question.pattern)} characters; {LONGEST_PATTERN} are allowed"
    longest = max(map(len, question.texts), default=0)
    return f"the text has {longest} characters; {LONGEST_TEXT} are allowed" if longest > LONGEST_TEXT else ""


def _is_quick(question: Question) -> bool:
    """
    Return whether trying it takes no more than a few milliseconds.

    One repetition, without alternatives to try in it, can be tried from each place to each other one, and no more.
    Sets beyond ASCII take long to compile where case does not count.
    """
    pattern = question.pattern
    repeats = sum(map(pattern.count, "*+?{|"))
    plain = pattern.isascii() and not re.search(r"\\[uUNx0-9]", pattern)
    few = len(question.texts) <= 1 or repeats == 0
    return repeats <= 1 and plain and few and all(len(text) <= _QUICK_TEXT for text in question.texts)


def _tried(question: Question) -> list[bool] | BadPattern:
    try:
        compiled = re.compile(question.pattern, _flags(question))
    except (re.error, OverflowError, RecursionError) as problem:
        return BadPattern(str(problem) or type(problem).__name__)
    return [compiled.search(text) is not None for text in question.texts]


def _asked_elsewhere(questions: Sequence[Question]) -> list[list[bool] | BadPattern]:
    asked = json.dumps([[each.pattern, _flags(each), list(each.texts)] for each in questions])
    try:
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-I", "-S", "-c", _CODE],
            input=asked.encode("ascii"),
            capture_output=True,
            timeout=_PATIENCE_S,
            check=True,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as problem:
        raise TooCostly(f"it takes more than {_LIMIT_S} s") from problem
    return [each if isinstance(each, list) else BadPattern(each) for each in json.loads(done.stdout)]


def _flags(question: Question) -> int:
    return int(re.IGNORECASE) if question.ignore_case else 0
