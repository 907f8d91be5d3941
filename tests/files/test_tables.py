"""What a person at the terminal sees of files."""

from __future__ import annotations

import contextlib
import re

import pytest

from agavepy.agave import Agave
from agavepy.errors import AgaveHTTPError

from ..recording import Recorder
from .conftest import put
from .test_hostile import record


@pytest.fixture(autouse=True)
def _eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TZ", "UTC")


@pytest.fixture
def folder(ag: Agave, remote: str) -> str:
    ag.files_mkdir(f"{remote}/apps")
    ag.files_mkdir(f"{remote}/.slurm")
    for name in ("SP1.fq", "SP1-copy.fq", "bigfile", "a-name-that-is-twenty-five"):
        put(ag, f"{remote}/{name}", b"x" * 24)
    return remote


def test_columns_are_fitted_to_the_terminal(ag: Agave, folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    records = ag.files_list(folder)
    assert capsys.readouterr().out == (
        "./                          .slurm/                     \n".rstrip()[:0]
        + "./                          .slurm/\n"
        + "a-name-that-is-twenty-five  apps/\n"
        + "bigfile                     SP1-copy.fq\n"
        + "SP1.fq\n"
    )
    assert records[0].name == "."
    assert len(records) == 7


def test_a_wide_terminal_has_more_columns(
    ag: Agave, folder: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    ag.files_list(f"/{folder}/")
    assert capsys.readouterr().out.split() == [
        "./", ".slurm/", "a-name-that-is-twenty-five", "apps/", "bigfile", "SP1-copy.fq", "SP1.fq",
    ]  # fmt: skip
    monkeypatch.setenv("COLUMNS", "1")
    ag.files_list(folder)
    assert len(capsys.readouterr().out.splitlines()) == 7


def test_letters_that_are_two_columns_wide_are_counted_as_such(
    recorder: Recorder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    recorder.result([{"name": name, "type": "file"} for name in ("a", "e\u0301", "潮汐表", "z")])
    with contextlib.closing(Agave(api_server=recorder.url, token="t")) as client:
        client.files_list("data")
    assert capsys.readouterr().out == "a       e\u0301\nz       潮汐表\n"


def test_the_long_format_has_permissions_size_date_and_name(
    ag: Agave, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ag.files_list(folder, long_format=True)
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"drwx +\d+ [A-Z][a-z]{2} [ \d]\d \d\d:\d\d \./", lines[0])
    assert re.fullmatch(r"-rwx +24 [A-Z][a-z]{2} [ \d]\d \d\d:\d\d SP1\.fq", lines[-1])


def test_a_file_is_listed_alone(ag: Agave, folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    ag.files_list(f"{folder}/bigfile")
    assert capsys.readouterr().out == "bigfile\n"


def test_what_is_not_there_is_an_error(ag: Agave, remote: str) -> None:
    with pytest.raises(AgaveHTTPError, match="404"):
        ag.files_list(f"{remote}/nothing")


@pytest.mark.parametrize(
    ("word", "letters"),
    [
        ("READ", "r--"),
        ("WRITE", "-w-"),
        ("EXECUTE", "--x"),
        ("READ_WRITE", "rw-"),
        ("READ_EXECUTE", "r-x"),
        ("WRITE_EXECUTE", "-wx"),
        ("ALL", "rwx"),
        ("OWNER", "rwx"),
        ("NONE", "---"),
        (None, "---"),
        ("SOMETHING_NEW", "---"),
    ],
)
def test_permissions_are_letters(
    recorder: Recorder, capsys: pytest.CaptureFixture[str], word: str | None, letters: str
) -> None:
    recorder.result([{**record("x"), "permissions": word}])
    ag = Agave(api_server=recorder.url, token="t")
    ag.files_list("data/x", long_format=True)
    assert capsys.readouterr().out == f"-{letters} 5 Sep 11 16:38 x\n"
    ag.close()


def test_a_name_gives_the_terminal_no_orders(recorder: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    recorder.result([record("\x1b[2Jx\n\u202ey")])
    ag = Agave(api_server=recorder.url, token="t")
    ag.files_list("data")
    assert capsys.readouterr().out == "?[2Jx??y\n"
    ag.close()


def test_permissions_and_history_are_tables(ag: Agave, folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    ag.files_pems_update(f"{folder}/bigfile", "collab", "READ_WRITE")
    assert capsys.readouterr().out == ""
    ag.files_pems_list(f"{folder}/bigfile")
    assert capsys.readouterr().out == ("USER    READ  WRITE  EXEC\nnryan   yes   yes    yes\ncollab  yes   yes    no\n")
    ag.files_history(f"{folder}/bigfile")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["USER", "EVENT", "DATE", "DESCRIPTION"]
    assert re.match(r"nryan  CREATED +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d  \w", lines[1])
    assert lines[-1].split()[1] == "PERMISSION_GRANT"
