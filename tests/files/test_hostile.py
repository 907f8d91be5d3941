"""Servers that mean ill, or are broken: nothing outside the destination is touched, and the error says what it was."""

from __future__ import annotations

import base64
import gc
import gzip
import hashlib
import json
import tracemalloc
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agavepy import files, transport
from agavepy.agave import Agave
from agavepy.errors import AgaveError, AgaveHTTPError, AgavepyError, FileConflict, TransferError
from agavepy.files import entries, names

from ..recording import Answer, Received, Recorder
from .conftest import held, noise

MEGABYTE = 1 << 20
BOMB = gzip.compress(bytes(50 * MEGABYTE))
UNPACKED = (("Content-Encoding", "gzip"),)


@pytest.fixture
def ag(recorder: Recorder) -> Iterator[Agave]:
    """A client of a server that is about to mean ill."""
    client = Agave(api_server=recorder.url, token="t")
    yield client
    client.close()


def enveloped(result: Any) -> Answer:
    return Answer(body=json.dumps({"status": "success", "message": None, "version": "1", "result": result}).encode())


def record(name: Any, *, length: Any = 5, kind: str = "file", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "length": length, "lastModified": "2018-09-11T11:38:34.000-05:00", **more}


def lists(recorder: Recorder, *records: Any, content: Answer | None = None) -> None:
    """Have every folder list these, and every file be ``content``."""

    def answer(received: Received) -> Answer:
        if "/listings/" in received.target:
            return enveloped([record(".", kind="dir"), *records])
        return content or Answer(body=b"12345", content_type="text/plain")

    recorder.script = [answer] * 100_000


def sends(recorder: Recorder, body: bytes, *headers: tuple[str, str], **more: Any) -> None:
    """Have the folder hold one file, which is sent that way."""
    lists(recorder, record("a"), content=Answer(body=body, content_type="x/y", headers=headers, **more))


# Names


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/b", "..", "", "a\0b", None, 5, [], {}, "x" * MEGABYTE])
def test_a_name_that_leads_elsewhere_is_an_error(ag: Agave, recorder: Recorder, tmp_path: Path, name: Any) -> None:
    lists(recorder, record(name))
    with pytest.raises((AgaveError, OSError), match="cannot be|name too long") as caught:
        ag.files_download("data/x", tmp_path / "down")
    assert len(str(caught.value)) < 1000
    assert [path.name for path in tmp_path.iterdir()] in ([], ["down"])
    assert not (tmp_path / "down").exists() or held(tmp_path / "down") == {}


@pytest.mark.parametrize("name", ["C:x", "C:\\x", "\\\\host\\x", "..\\evil", "a\\b", "nul", "COM¹.txt", "a:b"])
def test_a_name_that_leads_elsewhere_on_windows_is_an_error_there(
    ag: Agave, recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(names.check.__kwdefaults__, "is_windows", True)
    lists(recorder, record(name), record("fine"))
    with pytest.raises(TransferError, match="1 not transferred: .* cannot be that of a file here"):
        ag.files_download("data/x", tmp_path / "down")
    assert held(tmp_path / "down") == {"fine": b"12345"}


def test_names_that_are_one_file_here_are_an_error_and_none_of_them_wins(
    ag: Agave, recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "tells_case", lambda folder: False)
    lists(recorder, *[record(name) for name in ("Reads", "reads", "é", "e\u0301", "fine")])
    with pytest.raises(TransferError, match="4 not transferred: .*'Reads' would be the same file") as caught:
        ag.files_download("data/x", tmp_path / "down")
    assert {type(each) for each in caught.value.failures.values()} == {FileConflict}
    assert held(tmp_path / "down") == {"fine": b"12345"}


def test_a_name_that_is_listed_twice_is_an_error(ag: Agave, recorder: Recorder, tmp_path: Path) -> None:
    lists(recorder, record("a"), record("a", kind="dir"), record("fine"))
    with pytest.raises(TransferError, match="'a' would be the same file"):
        ag.files_download("data/x", tmp_path / "down", exclude="a/**")
    assert held(tmp_path / "down") == {"fine": b"12345"}


def test_what_a_server_says_gives_the_terminal_no_orders(
    ag: Agave, recorder: Recorder, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    orders = "\x1b[2J\r\n\x9b31m"
    lists(recorder, record(orders, length=orders, permissions=orders, lastModified=orders))
    ag.files_list("data/x")
    ag.files_list("data/x", long_format=True)
    lists(recorder, record(orders), content=Answer(500))
    with pytest.raises(TransferError) as caught:
        ag.files_download("data/x", tmp_path / "down")
    told = dict.fromkeys(("username", "permission", "status", "created", "createdBy", "description"), orders)
    recorder.script = [enveloped([told])] * 2
    ag.files_pems_list("data/x")
    ag.files_history("data/x")
    seen = capsys.readouterr().out + str(caught.value)
    assert all(letter.isprintable() or letter == "\n" for letter in seen)


# Listings


CALLS: dict[str, Callable[[Agave, Path], Any]] = {
    "list": lambda ag, here: ag.files_list("data/x"),
    "long list": lambda ag, here: ag.files_list("data/x", long_format=True),
    "walk": lambda ag, here: list(ag.files_walk("data/x")),
    "glob": lambda ag, here: files.glob(ag, "data/x/*/**/a*"),
    "download": lambda ag, here: ag.files_download("data/x", here / "down"),
    "upload": lambda ag, here: ag.files_upload(here, "data/x", overwrite="newer"),
    "import": lambda ag, here: ag.files_import("agave://data/x", "data/y", wait=True, timeout_s=0.0),
    "permissions": lambda ag, here: ag.files_pems_list("data/x"),
    "history": lambda ag, here: ag.files_history("data/x"),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("result", [5, "x", {"a": 1}, [5], ["a"], [None], [[]], [record(".", kind="dir"), "a"]])
def test_what_is_no_list_of_records_is_a_clear_error(
    ag: Agave, recorder: Recorder, tmp_path: Path, call: str, result: Any
) -> None:
    recorder.result(result)
    with pytest.raises(AgaveError, match="in place of a record|where a list of records was expected"):
        CALLS[call](ag, tmp_path)
    assert held(tmp_path) == {}


@pytest.mark.parametrize("call", ["walk", "glob", "download"])
def test_folders_without_end_are_an_error(ag: Agave, recorder: Recorder, tmp_path: Path, call: str) -> None:
    lists(recorder, record("again", kind="dir"), record("too", kind="dir"))
    with pytest.raises(AgaveError, match="go round in a circle"):
        CALLS[call](ag, tmp_path)
    assert len(recorder.received) < 100


@pytest.mark.parametrize("call", ["list", "walk", "glob", "download"])
def test_a_folder_without_end_is_an_error(
    ag: Agave, recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    monkeypatch.setattr(entries, "MOST_ITEMS", 1000)
    recorder.script = [lambda _: enveloped([record(f"{len(recorder.received)}-{n}") for n in range(250)])] * 100_000
    with pytest.raises(AgaveError, match=r"files\.list of data/x.*: more than 1,000 records.*files\.list\.iterate"):
        CALLS[call](ag, tmp_path)
    assert len(recorder.received) < 10
    assert held(tmp_path) == {}


@pytest.mark.parametrize("call", ["list", "walk", "download", "history"])
@pytest.mark.parametrize("body", [BOMB, b"[" * 2 * MEGABYTE], ids=["bomb", "long"])
def test_a_listing_that_fills_memory_is_not_read(
    ag: Agave, recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, body: bytes
) -> None:
    monkeypatch.setattr(transport, "LONGEST_BODY", MEGABYTE)
    recorder.always = Answer(body=body, headers=UNPACKED if body is BOMB else ())
    tracemalloc.start()
    try:
        with pytest.raises(AgaveError, match=r"files\..*: the answer is longer than 1 MiB, and not read"):
            CALLS[call](ag, tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 16 * MEGABYTE
    finally:
        tracemalloc.stop()
    assert len(recorder.received) == 1
    assert held(tmp_path) == {}


@pytest.mark.parametrize("coding", ["gzip, gzip", "br", "zstd", "deflate,gzip"])
def test_a_listing_packed_in_ways_that_nobody_asked_for_is_an_error(ag: Agave, recorder: Recorder, coding: str) -> None:
    recorder.always = Answer(body=gzip.compress(BOMB), headers=(("Content-Encoding", coding),))
    with pytest.raises(AgaveError, match=f"files.list: the answer comes with Content-Encoding: {coding}, unasked"):
        ag.files_list("data/x")


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_listing_that_a_proxy_packed_is_read(
    ag: Agave, recorder: Recorder, coding: str, pack: Callable[[bytes], bytes]
) -> None:
    recorder.always = Answer(body=pack(enveloped([record("a")]).body), headers=(("Content-Encoding", coding),))
    assert [each.name for each in ag.files_list("data/x")] == ["a"]


@pytest.mark.parametrize("status", [300, 404, 500])
def test_a_bomb_in_an_error_page_is_that_error(ag: Agave, recorder: Recorder, status: int) -> None:
    recorder.always = Answer(status, BOMB, "text/html", UNPACKED)
    tracemalloc.start()
    try:
        with pytest.raises(AgaveHTTPError, match=str(status)):
            ag.files_list("data/x")
        assert tracemalloc.get_traced_memory()[1] < 16 * MEGABYTE
    finally:
        tracemalloc.stop()


# Facts of files


@pytest.mark.parametrize("length", [-5, 10**30, "5", None, True, 1e300])
def test_a_length_that_is_none_does_no_harm(ag: Agave, recorder: Recorder, tmp_path: Path, length: Any) -> None:
    lists(recorder, record("a", length=length))
    ag.files_list("data/x", long_format=True)
    ag.files_download("data/x", tmp_path / "down")
    assert held(tmp_path / "down") == {"a": b"12345"}


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00.000+14:00", "9999-12-31T23:59:59.999-14:00", "never", 5, None])
def test_a_date_that_is_none_does_no_harm(ag: Agave, recorder: Recorder, tmp_path: Path, moment: Any) -> None:
    lists(recorder, record("a", lastModified=moment))
    ag.files_list("data/x", long_format=True)
    for _ in range(2):
        ag.files_download("data/x", tmp_path / "down", overwrite="newer")
    assert held(tmp_path / "down") == {"a": b"12345"}


@pytest.mark.parametrize("moment", ["Fri, 31 Dec 9999 23:59:59 -1200", "Mon, 01 Jan 0001 00:00:00 +1400", "never"])
def test_a_date_of_an_answer_that_is_none_does_no_harm(
    ag: Agave, recorder: Recorder, tmp_path: Path, moment: str
) -> None:
    sends(recorder, b"12345", ("Last-Modified", moment))
    ag.files_download("data/x", tmp_path / "down")
    assert held(tmp_path / "down") == {"a": b"12345"}


# Contents


@pytest.mark.parametrize("length", [6, 10**15])
def test_fewer_bytes_than_announced_are_an_error(ag: Agave, recorder: Recorder, tmp_path: Path, length: int) -> None:
    sends(recorder, b"12345", length=length)
    with pytest.raises(TransferError, match="1 not transferred"):
        ag.files_download("data/x", tmp_path / "down")
    assert held(tmp_path / "down") == {}


def test_more_bytes_than_announced_are_cut_off_by_the_length(ag: Agave, recorder: Recorder, tmp_path: Path) -> None:
    sends(recorder, b"1234567", length=5)
    ag.files_download("data/x", tmp_path / "down")
    assert held(tmp_path / "down") == {"a": b"12345"}


def test_without_any_length_the_listing_tells_whether_it_is_all(ag: Agave, recorder: Recorder, tmp_path: Path) -> None:
    lists(recorder, record("a", length=9), content=Answer(body=b"12345", content_type="x/y", length=None))
    with pytest.raises(TransferError, match="5 bytes came, of 9"):
        ag.files_download("data/x", tmp_path / "down")
    assert held(tmp_path / "down") == {}


@pytest.mark.parametrize("length", ["-5", "five", "", "5" * 30])
def test_a_content_length_that_is_none_makes_no_wrong_file(
    ag: Agave, recorder: Recorder, tmp_path: Path, length: str
) -> None:
    sends(recorder, b"1234", ("Content-Length", length), length=None)
    with pytest.raises(TransferError, match="4 bytes came, of 5|Content-Length|not transferred"):
        ag.files_download("data/x", tmp_path / "down")
    assert held(tmp_path / "down") == {}


def test_two_content_lengths_make_no_file(ag: Agave, recorder: Recorder, tmp_path: Path) -> None:
    sends(recorder, b"12345", ("Content-Length", "5, 6"), length=None)
    with pytest.raises(TransferError, match="Content-Length contained multiple unmatching values"):
        ag.files_download("data/x", tmp_path / "down")
    assert held(tmp_path / "down") == {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()  # urllib3 leaves the connection of such an answer open


@pytest.mark.parametrize(
    "extent", ["bytes 3-7/8", "bytes 0-4/9999999999999999999", "bytes 9-1/5", "bytes 0-4/4", "junk", "bytes -1-4/5"]
)
def test_a_part_that_was_not_asked_for_makes_no_wrong_file(
    ag: Agave, recorder: Recorder, tmp_path: Path, extent: str
) -> None:
    sends(recorder, b"12345", ("Content-Range", extent), status=206)
    try:
        ag.files_download("data/x", tmp_path / "down")
    except TransferError:
        assert set(held(tmp_path / "down")) <= {".a.part", ".a.part.json"}
    else:
        assert held(tmp_path / "down") == {"a": b"12345"}
    assert sum(path.stat().st_blocks for path in (tmp_path / "down").iterdir()) * 512 < MEGABYTE


def test_a_bomb_is_not_unpacked(ag: Agave, recorder: Recorder, tmp_path: Path) -> None:
    sends(recorder, BOMB, *UNPACKED)
    with pytest.raises(TransferError, match="Content-Encoding: gzip, unasked"):
        ag.files_download("data/x", tmp_path / "down")
    assert held(tmp_path / "down") == {}


@pytest.mark.parametrize(
    "digest", ["sha-256=" + base64.b64encode(hashlib.sha256(b"other").digest()).decode(), "crc32c=1c8ae3c6"]
)
def test_bytes_with_another_checksum_than_the_servers_are_an_error(
    ag: Agave, recorder: Recorder, tmp_path: Path, digest: str
) -> None:
    sends(recorder, b"12345", ("Digest", digest))
    with pytest.raises(TransferError, match="another checksum than the server's"):
        ag.files_download("data/x", tmp_path / "down")
    assert held(tmp_path / "down") == {}


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (202, ()),
        (300, ()),
        (302, ()),
        (304, ()),
        (307, (("Location", "http://[::1"),)),
        (302, (("Location", "http://127.0.0.1:99999/"),)),
        (302, (("Location", "\xff\xfe"),)),
        (302, (("Location", "file:///etc/passwd"),)),
        (302, (("Location", "/files/v2/" + "x" * 60_000),)),
    ],
)
def test_an_answer_that_brings_no_file_makes_none(
    ag: Agave, recorder: Recorder, tmp_path: Path, status: int, headers: tuple[tuple[str, str], ...]
) -> None:
    sends(recorder, b"12345", *headers, status=status)
    with pytest.raises(TransferError, match="1 not transferred") as caught:
        ag.files_download("data/x", tmp_path / "down")
    assert all(isinstance(each, AgavepyError) for each in caught.value.failures.values())
    assert held(tmp_path / "down") == {}


def test_a_change_that_was_sent_nowhere_is_not_taken_for_made(ag: Agave, recorder: Recorder) -> None:
    recorder.always = Answer(307, b"<html>moved</html>", "text/html")
    with pytest.raises(AgaveHTTPError, match="307 Redirection Error"):
        ag.files_mkdir("data/x")


# Servers that are merely peculiar


def test_a_server_that_gives_ranges_with_status_200_is_understood(
    ag: Agave, recorder: Recorder, tmp_path: Path
) -> None:
    data = noise(3 * MEGABYTE)
    headers = (("Last-Modified", "Tue, 11 Sep 2018 16:38:34 GMT"), ("Accept-Ranges", "bytes"))

    def answer(received: Received) -> Answer:
        if "/listings/" in received.target:
            return enveloped([record("a", length=len(data))])
        start = int(received.headers.get("range", "bytes=0-")[6:].partition("-")[0])
        body = data[start:] if start else data[: 2 * MEGABYTE]
        return Answer(body=body, content_type="x/y", headers=headers, length=len(data) - start)

    recorder.script = [answer] * 10
    ag.files_download("data/a", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == data
    assert len(recorder.received) == 3


def test_a_server_without_ranges_begins_anew(ag: Agave, recorder: Recorder, tmp_path: Path) -> None:
    data = noise(MEGABYTE)
    answers = [
        enveloped([record("a", length=len(data))]),
        Answer(body=data[: MEGABYTE // 2], content_type="x/y", length=len(data)),
        *[Answer(body=data, content_type="x/y")] * 2,
    ]
    recorder.script = list(answers)
    ag.files_download("data/a", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == data
