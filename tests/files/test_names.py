"""Names of a server, and what of them may become a file here."""

from __future__ import annotations

from pathlib import Path

import pytest

from agavepy.errors import UnsafePath
from agavepy.files import names


@pytest.mark.parametrize("name", ["a.txt", "ü", "a b", "C:x", "a\\b", "con", "x.", "100%25", "-rf", "~"])
def test_what_a_posix_file_may_be_called(name: str) -> None:
    assert names.check(name, is_windows=False) == name


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc/passwd", "../x", "a\0b"])
@pytest.mark.parametrize("is_windows", [False, True])
def test_what_leads_elsewhere_is_refused(name: str, is_windows: bool) -> None:
    with pytest.raises(UnsafePath, match="cannot be that of a file here"):
        names.check(name, is_windows=is_windows)


@pytest.mark.parametrize("name", ["C:x", "a\\b", "..\\x", "NUL", "com1.txt", "x.", "x ", "a<b", "a\nb", "aux .c"])
def test_what_leads_elsewhere_on_windows_is_refused_there(name: str) -> None:
    with pytest.raises(UnsafePath):
        names.check(name, is_windows=True)


def test_names_that_differ_in_case_or_accents_only_clash() -> None:
    assert names.clashes(["a", "A", "b", "e\u0301", "\u00e9", "stra\u00dfe", "STRASSE"]) == {
        "a", "A", "e\u0301", "\u00e9", "stra\u00dfe", "STRASSE",
    }  # fmt: skip
    assert names.clashes(["a", "b"]) == set()


def test_whether_case_counts_is_found_out_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "probe").touch()
    is_told = not (tmp_path / "PROBE").exists()
    assert names.tells_case(tmp_path) is is_told
    assert [path.name for path in tmp_path.iterdir()] == ["probe"]
