"""Globs: which files are meant."""

from __future__ import annotations

import pytest

from agavepy.agave import Agave
from agavepy.errors import AgaveError
from agavepy.files import escape, glob
from agavepy.files.patterns import Choice

from .conftest import put


@pytest.mark.parametrize(
    ("pattern", "path", "is_meant"),
    [
        ("*.txt", "a.txt", True),
        ("*.txt", "sub/a.txt", True),
        ("*.txt", "a.txt.gz", False),
        ("sub/*.txt", "sub/a.txt", True),
        ("sub/*.txt", "sub/more/a.txt", False),
        ("sub/**", "sub/more/a.txt", True),
        ("**/a.txt", "a.txt", True),
        ("**/a.txt", "x/y/a.txt", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[ab].txt", "a.txt", True),
        ("[!ab].txt", "a.txt", False),
        ("[]].txt", "].txt", True),
        ("[a-c]", "b", True),
        ("a+b(1).txt", "a+b(1).txt", True),
        ("a[1", "a[1", True),
        ("*", "line\nbreak", True),
    ],
)
def test_a_pattern_means(pattern: str, path: str, is_meant: bool) -> None:
    names = path.split("/")
    assert Choice(include=pattern).has_file(names) is is_meant
    assert Choice(exclude=pattern).has_file(names) is not is_meant


def test_a_pattern_that_is_none_says_so() -> None:
    with pytest.raises(AgaveError, match=r"The pattern '\[z-a\]' is none"):
        Choice(include="[z-a]").has_file(["x"])


@pytest.fixture
def tree(ag: Agave, remote: str) -> str:
    ag.files_mkdir(f"{remote}/sub/more")
    for path in ("a.txt", "b.csv", ".hidden.txt", "sub/c.txt", "sub/more/d.txt", "sub/[e].txt"):
        put(ag, f"{remote}/{path}", b"x")
    return remote


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.txt", ["a.txt"]),
        ("a.txt", ["a.txt"]),
        ("nothing", []),
        ("nothing/*", []),
        ("a.txt/*", []),
        (".*.txt", [".hidden.txt"]),
        ("*", ["a.txt", "b.csv", "sub"]),
        ("*/*.txt", ["sub/[e].txt", "sub/c.txt"]),
        ("**/*.txt", ["a.txt", "sub/[e].txt", "sub/c.txt", "sub/more/d.txt"]),
        ("**/more/*", ["sub/more/d.txt"]),
        ("sub/**", ["sub/[e].txt", "sub/c.txt", "sub/more", "sub/more/d.txt"]),
        ("sub/?.txt", ["sub/c.txt"]),
        (f"sub/{escape('[e].txt')}", ["sub/[e].txt"]),
    ],
)
def test_glob_finds(ag: Agave, tree: str, pattern: str, found: list[str]) -> None:
    assert glob(ag, f"{tree}/{pattern}") == [f"{tree}/{each}" for each in found]
