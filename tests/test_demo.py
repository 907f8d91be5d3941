"""``agavepy demo``: the main job, run as a user runs it."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from agavepy import demo

COMMAND = [sys.executable, "-m", "agavepy", "demo"]


def run(*arguments: str, temporary: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TMPDIR": str(temporary)}
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=60, env=environment, check=False
    )


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    folder = tmp_path / "tmp"
    folder.mkdir()
    return folder


def test_it_counts_the_file_it_ships(temporary: Path) -> None:
    start = time.monotonic()
    done = run(temporary=temporary)
    assert done.returncode == 0, done.stderr
    assert "sample.txt: 11 lines, 174 words; counted here too, with the same result." in done.stdout
    assert time.monotonic() - start < 15  # the promise of the README
    assert list(temporary.iterdir()) == []


def test_it_shows_the_statuses_in_order_and_the_python_that_did_it(temporary: Path) -> None:
    lines = run(temporary=temporary).stdout.splitlines()
    statuses = [line.split()[0] for line in lines if line.startswith("  ") and line[2].isupper()]
    wanted = ["PENDING", "STAGED", "QUEUED", "RUNNING", "CLEANING_UP", "ARCHIVING", "FINISHED"]
    assert [status for status in statuses if status in wanted] == wanted
    assert any("ag.jobs.submit(" in line for line in lines)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"no newline at the end",
        b"\x00\xff\x80 bin\x0bary\x0c\r\n",
        "a  b\tc\r\nd é 日本\n".encode() * 1000,
    ],
)
def test_whatever_the_file_holds_both_counts_agree(tmp_path: Path, temporary: Path, content: bytes) -> None:
    path = tmp_path / "a strange #name; $(touch x).txt"
    path.write_bytes(content)
    done = run(str(path), temporary=temporary)
    assert done.returncode == 0, done.stderr
    assert f": {content.count(bytes([10]))} lines, {len(content.split())} words;" in done.stdout


@pytest.mark.parametrize(
    ("argument", "hint"), [("/no/such/file", "No such file"), (tempfile.gettempdir(), "Is a directory")]
)
def test_a_file_that_cannot_be_read_is_one_line_on_stderr(temporary: Path, argument: str, hint: str) -> None:
    done = run(argument, temporary=temporary)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert hint in done.stderr
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing_behind(temporary: Path, number: signal.Signals) -> None:
    environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert "A tenant of your own" in process.stdout.readline()
        process.send_signal(number)
        process.stdout.read()
        assert process.stderr.read() == "agavepy: interrupted\n"
    assert process.returncode == 1
    assert list(temporary.iterdir()) == []


def test_counting_here_follows_the_rule_of_the_wrapper() -> None:
    assert demo.count(io.BytesIO(b"a b\n\x0bc")) == (1, 3)
