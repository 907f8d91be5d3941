"""The bar: where somebody sees it, and nowhere else."""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

import pytest

from agavepy.agave import Agave
from agavepy.files import progress

from .conftest import noise, put

fcntl = pytest.importorskip("fcntl")
termios = pytest.importorskip("termios")


Terminal = Callable[[], Callable[[], str]]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """Call it to have a terminal as standard error, and every bar shown at once; it gives what tells what was shown."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    stream: TextIO = os.fdopen(theirs, "w", buffering=1)

    def shown() -> str:
        stream.write("END")  # a terminal passes on in its own time
        stream.flush()
        seen = b""
        while not seen.endswith(b"END"):
            seen += os.read(ours, 1 << 16)
        return seen.removesuffix(b"END").decode()

    def install() -> Callable[[], str]:  # in the test itself: pytest sets standard error before each
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setattr(progress, "_SHOWN_AFTER_S", 0.0)
        monkeypatch.setenv("TERM", "xterm")
        return shown

    yield install
    stream.close()
    os.close(ours)


@pytest.fixture
def source(ag: Agave, remote: str) -> str:
    put(ag, f"{remote}/a", noise(100_000))
    return f"{remote}/a"


def test_a_terminal_shows_a_bar_and_is_left_as_it_was(
    ag: Agave, remote: str, source: str, terminal: Terminal, tmp_path: Path
) -> None:
    shown = terminal()
    ag.files_download(source, tmp_path / "a")
    down = shown()
    ag.files_upload(tmp_path / "a", f"{remote}/b")
    up = shown()
    assert "from sandbox-storage" in down
    assert "to sandbox-storage" in up
    assert all(each.rpartition("\r")[0].rpartition("\r")[2].isspace() for each in (down, up))


def test_no_bar_where_it_is_not_wanted(
    ag: Agave, source: str, terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = terminal()
    told: list[Any] = []
    ag.files_download(source, tmp_path / "a", progress=False)
    ag.files_download(source, tmp_path / "b", progress=lambda *facts: told.append(facts))
    monkeypatch.setenv("TERM", "dumb")
    ag.files_download(source, tmp_path / "c")
    assert shown() == ""
    assert told[-1] == (100_000, 100_000, "a")


def test_no_bar_where_nobody_sees_it_unless_it_is_asked_for(
    ag: Agave, source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_SHOWN_AFTER_S", 0.0)
    ag.files_download(source, tmp_path / "a")
    assert capsys.readouterr().err == ""
    ag.files_download(source, tmp_path / "a", progress=True)
    assert "from sandbox-storage" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stderr", None)  # as pythonw has it
    ag.files_download(source, tmp_path / "a")


def test_the_bar_of_a_folder_is_of_all_its_files(
    ag: Agave, remote: str, source: str, terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal()
    put(ag, f"{remote}/b", noise(50_000))
    bars: list[Any] = []
    make = progress._bar
    monkeypatch.setattr(progress, "_bar", lambda title: bars.append(make(title)) or bars[-1])
    ag.files_download(remote, tmp_path / "down")
    assert [(bar.n, bar.total) for bar in bars] == [(150_000, 150_000)]


def test_a_bar_is_gone_when_the_transfer_fails(ag: Agave, source: str, terminal: Terminal, tmp_path: Path) -> None:
    shown = terminal()
    with pytest.raises(FileNotFoundError):
        ag.files_upload(tmp_path / "nothing", source)
    assert not shown().rpartition("\r")[2].strip()


def test_an_error_of_the_callers_function_stops_the_transfer(ag: Agave, source: str, tmp_path: Path) -> None:
    def told(done: int, total: int | None, name: str) -> None:
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        ag.files_download(source, tmp_path / "a", progress=told)
    assert not (tmp_path / "a").exists()
