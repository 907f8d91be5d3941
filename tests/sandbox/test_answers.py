"""Downloads: whole, in ranges, by HEAD."""

from __future__ import annotations

import contextlib
import email.utils
import os
import socket
from pathlib import Path

import pytest
import requests

from agavepy.sandbox import Sandbox
from agavepy.sandbox.answers import CHUNK_BYTES, FileAnswer, file_answer
from agavepy.sandbox.api import Download, NotFound

from .conftest import Http

HOME = "/files/v2/media/system/sandbox-storage//home/sandbox"
CONTENT = bytes(range(256)) * 16_000  # four chunks, the last not full


@pytest.fixture(scope="module", autouse=True)
def _file(tenant: Sandbox) -> None:
    with Http(tenant) as http:
        for name, content in {"a.bin": CONTENT, "é 1.txt": b"x", "empty": b""}.items():
            http.post(HOME, files={"fileToUpload": (name, content)}).raise_for_status()
    tenant.run_until_idle()


def get(http: Http, range_: str = "", **headers: str) -> requests.Response:
    return http.get(f"{HOME}/a.bin", headers={**({"Range": range_} if range_ else {}), **headers})


def test_a_download_is_whole_and_says_what_it_is(http: Http) -> None:
    answer = get(http)
    assert answer.status_code == 200
    assert answer.content == CONTENT
    assert answer.headers["content-length"] == str(len(CONTENT))
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == 'inline; filename="a.bin"'
    assert answer.headers["accept-ranges"] == "bytes"
    assert email.utils.parsedate_to_datetime(answer.headers["last-modified"])
    assert answer.headers["etag"].startswith('"')


def test_force_makes_it_an_attachment(http: Http) -> None:
    assert http.get(f"{HOME}/a.bin?force=true").headers["content-disposition"].startswith("attachment;")


def test_a_name_beyond_ascii_is_given_exactly(http: Http) -> None:
    header = http.get(f"{HOME}/%C3%A9%201.txt").headers["content-disposition"]
    assert header == "inline; filename=\"_ 1.txt\"; filename*=UTF-8''%C3%A9%201.txt"


def test_head_tells_the_same_without_the_bytes(http: Http) -> None:
    whole, head = get(http), http.head(f"{HOME}/a.bin")
    assert head.content == b""
    for name in ("content-length", "content-type", "etag", "last-modified", "content-disposition"):
        assert head.headers[name] == whole.headers[name]


def test_an_empty_file_is_an_empty_body(http: Http) -> None:
    answer = http.get(f"{HOME}/empty")
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "0")


@pytest.mark.parametrize(
    ("range_", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=5-", 5, len(CONTENT)),
        ("bytes=-7", len(CONTENT) - 7, len(CONTENT)),
        ("bytes=1000000-3000000", 1_000_000, 3_000_001),
        ("bytes=10-99999999", 10, len(CONTENT)),
        ("bytes=-99999999", 0, len(CONTENT)),
        ("bytes=1-2, 5-6", 1, 3),
        (f"bytes=1-{'9' * 5000}", 1, len(CONTENT)),
        (f"bytes=-{'9' * 5000}", 0, len(CONTENT)),
        (f"bytes={'0' * 5000}1-2", 1, 3),
    ],
)
def test_a_range_is_honoured(http: Http, range_: str, start: int, end: int) -> None:
    answer = get(http, range_)
    assert answer.status_code == 206
    assert answer.content == CONTENT[start:end]
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(CONTENT)}"


@pytest.mark.parametrize("range_", [f"bytes={len(CONTENT)}-", "bytes=-0", f"bytes={'9' * 5000}-"])
def test_a_range_beyond_the_end_is_416(http: Http, range_: str) -> None:
    answer = get(http, range_)
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(CONTENT)}"


@pytest.mark.parametrize("range_", ["bytes=5-2", "bytes=-", "lines=1-2", "bytes=x"])
def test_a_range_that_makes_no_sense_is_ignored(http: Http, range_: str) -> None:
    assert get(http, range_).status_code == 200


def test_if_range_gives_the_range_of_the_same_file_only(http: Http) -> None:
    etag = get(http).headers["etag"]
    assert get(http, "bytes=0-1", **{"If-Range": etag}).status_code == 206
    assert get(http, "bytes=0-1", **{"If-Range": '"another"'}).content == CONTENT


def test_the_etag_changes_with_the_file(tenant: Sandbox, http: Http) -> None:
    before = http.get(f"{HOME}/empty").headers["etag"]
    http.post(HOME, files={"fileToUpload": ("empty", b"")}).raise_for_status()
    tenant.run_until_idle()
    assert http.get(f"{HOME}/empty").headers["etag"] != before


def test_when_the_caller_is_gone_the_file_is_read_no_further(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []
    read = FileAnswer._read
    monkeypatch.setattr(FileAnswer, "_read", lambda *args: (reads.append(1), read(*args))[1])
    with Sandbox(tmp_path) as tenant, Http(tenant) as http:
        http.post(HOME, files={"fileToUpload": ("big", b"x")}).raise_for_status()
        tenant.run_until_idle()
        os.truncate(next((tmp_path / "systems").rglob("big")), 4000 * CHUNK_BYTES)
        with socket.create_connection(("127.0.0.1", int(tenant.url.rpartition(":")[2]))) as connection:
            head = f"GET {HOME}/big HTTP/1.1\r\nHost: x\r\nAuthorization: {http.headers['Authorization']}\r\n\r\n"
            connection.sendall(head.encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
    assert 0 < len(reads) < 100


def test_a_pipe_that_takes_a_files_place_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotFound):
        file_answer(Download(tmp_path / "pipe", "pipe", "text/plain"), {})


def test_a_range_leaves_no_file_open(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    for text in (f"bytes={'9' * 5000}-", "bytes=9-", f"bytes=0-{'9' * 5000}"):
        answer = file_answer(Download(tmp_path / "file", "file", "text/plain"), {"range": text})
        if isinstance(answer, FileAnswer):
            answer.file.close()
    assert not is_open(tmp_path / "file")


def is_open(path: Path) -> bool:
    """Tell whether this process has the file open; what else it has, threads of other tests may close meanwhile."""
    wanted = path.stat()
    for name in os.listdir("/dev/fd"):
        with contextlib.suppress(OSError):  # closed meanwhile
            if os.path.samestat(os.fstat(int(name)), wanted):
                return True
    return False
