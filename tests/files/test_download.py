"""Files and folders to this machine: whole and right, or an error."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agavepy.agave import Agave
from agavepy.errors import AgaveError, AgaveHTTPError, FileConflict, TransferError
from agavepy.files import fetch
from agavepy.files.download import files_download
from agavepy.files.part import Part, Remote
from agavepy.sandbox import Sandbox

from ..relay import Relay, relaying
from .conftest import held, noise, put

MEGABYTE = 1 << 20


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def relay(tenant: Sandbox) -> Iterator[Relay]:
    with relaying(tenant.url) as running:
        yield running


@pytest.fixture
def through(ag: Agave, relay: Relay) -> Iterator[Agave]:
    """A client whose connections pass the relay."""
    client = Agave(api_server=relay.url, token=str(ag.token))
    yield client
    client.close()


def ranges(tenant: Sandbox, since: int) -> list[int]:
    """Return the statuses of the downloads after the first ``since`` requests."""
    return [each["status"] for each in tenant.requests[since:] if each["operation"] == "files.download"]


# One file


@pytest.mark.parametrize("size", [0, 1, 1000, 3 * MEGABYTE + 7])
def test_a_file_arrives_as_it_is(ag: Agave, remote: str, tmp_path: Path, size: int) -> None:
    data = noise(size)
    put(ag, f"{remote}/a.bin", data)
    ag.files_download(f"{remote}/a.bin", tmp_path / "b.bin")
    assert (tmp_path / "b.bin").read_bytes() == data
    assert names(tmp_path) == ["b.bin"]


@pytest.mark.parametrize("name", ["100%25.txt", "a#b?.txt", "a b+c;d.txt", "ü\u2028.txt", "%", "x" * 255, "-rf", 'q"'])
def test_a_name_is_literal(ag: Agave, remote: str, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"this very file")
    ag.files_upload(tmp_path / name, f"{remote}/{name}")
    (tmp_path / "down").mkdir()
    ag.files_download(f"{remote}/{name}", tmp_path / "down")
    assert (tmp_path / "down" / name).read_bytes() == b"this very file"


def test_a_folder_that_is_there_takes_the_file_in(ag: Agave, remote: str, tmp_path: Path) -> None:
    put(ag, f"{remote}/a.txt", b"x")
    ag.files_download(f"{remote}/a.txt", tmp_path)
    ag.files_download(f"{remote}/a.txt", f"{tmp_path}/new/")
    assert (tmp_path / "a.txt").exists()
    assert (tmp_path / "new" / "a.txt").exists()


def test_a_file_that_is_not_there_leaves_nothing(ag: Agave, remote: str, tmp_path: Path) -> None:
    with pytest.raises(AgaveHTTPError, match="404"):
        ag.files_download(f"{remote}/nothing", tmp_path / "x")
    assert names(tmp_path) == []


def test_the_date_is_that_of_the_server(ag: Agave, remote: str, tmp_path: Path) -> None:
    put(ag, f"{remote}/a", b"x")
    modified = ag.files.list(**_keywords(f"{remote}/a"))[0].lastModified
    ag.files_download(f"{remote}/a", tmp_path / "a")
    assert int((tmp_path / "a").stat().st_mtime) == int(modified.timestamp())


def test_a_file_that_others_may_not_read_stays_so(ag: Agave, remote: str, tmp_path: Path) -> None:
    put(ag, f"{remote}/a", b"new")
    target = tmp_path / "a"
    target.touch(mode=0o600)
    ag.files_download(f"{remote}/a", target)
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o600


def test_what_is_nothing_but_zeros_takes_no_room(ag: Agave, remote: str, tmp_path: Path) -> None:
    data = bytes(8 * MEGABYTE) + b"end"
    put(ag, f"{remote}/sparse", data)
    ag.files_download(f"{remote}/sparse", tmp_path / "sparse")
    assert (tmp_path / "sparse").read_bytes() == data
    assert (tmp_path / "sparse").stat().st_blocks * 512 < MEGABYTE


def test_as_releases_up_to_0_9_called_it(ag: Agave, tenant: Sandbox, remote: str, tmp_path: Path) -> None:
    put(ag, f"{remote}/a", b"old way")
    files_download(tenant.url, str(ag.token), f"{remote}/a", str(tmp_path / "a"))
    assert (tmp_path / "a").read_bytes() == b"old way"


# What is there already


def test_overwrite_true_replaces(ag: Agave, remote: str, tmp_path: Path) -> None:
    put(ag, f"{remote}/a", b"new")
    (tmp_path / "a").write_bytes(b"old")
    ag.files_download(f"{remote}/a", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"new"


def test_overwrite_false_is_an_error_and_loses_nothing(ag: Agave, remote: str, tmp_path: Path) -> None:
    put(ag, f"{remote}/a", b"new")
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(FileConflict, match="is there already: pass overwrite=True"):
        ag.files_download(f"{remote}/a", tmp_path / "a", overwrite=False)
    with pytest.raises(FileExistsError):
        ag.files_download(f"{remote}/a", tmp_path / "a", overwrite=False)
    assert (tmp_path / "a").read_bytes() == b"old"


@pytest.mark.parametrize(("age_s", "is_replaced"), [(-3600, False), (3600, True)])
def test_overwrite_newer_replaces_older_files_only(
    ag: Agave, remote: str, tmp_path: Path, age_s: int, is_replaced: bool
) -> None:
    put(ag, f"{remote}/a", b"remote")
    (tmp_path / "a").write_bytes(b"local!")
    there = time.time() - age_s
    os.utime(tmp_path / "a", (there, there))
    ag.files_download(f"{remote}/a", tmp_path / "a", overwrite="newer")
    assert ((tmp_path / "a").read_bytes() == b"remote") is is_replaced


def test_what_was_brought_is_not_brought_again_where_newer_is_asked_for(
    ag: Agave, tenant: Sandbox, remote: str, tmp_path: Path
) -> None:
    put(ag, f"{remote}/a", b"x")
    ag.files_download(f"{remote}/a", tmp_path / "a")
    seen = len(tenant.requests)
    ag.files_download(f"{remote}/a", tmp_path / "a", overwrite="newer")
    assert ranges(tenant, seen) == []


def test_overwrite_takes_three_answers(ag: Agave, remote: str, tmp_path: Path) -> None:
    with pytest.raises(AgaveError, match="overwrite='always': True, False or 'newer'"):
        ag.files_download(f"{remote}/a", tmp_path, overwrite="always")


def test_a_folder_is_not_replaced_by_a_file(ag: Agave, remote: str, tmp_path: Path) -> None:
    put(ag, f"{remote}/a", b"x")
    (tmp_path / "a").mkdir()
    with pytest.raises(FileConflict, match="is a folder"):
        ag.files_download(f"{remote}/a", tmp_path)


def test_what_is_no_regular_file_is_not_replaced(ag: Agave, remote: str, tmp_path: Path) -> None:
    put(ag, f"{remote}/a", b"new")
    os.mkfifo(tmp_path / "pipe")
    for bring in (ag.files_download, ag.download_uri):
        with pytest.raises(FileConflict, match="pipe is no regular file"):
            bring(f"agave://{remote}/a", tmp_path / "pipe")
    assert (tmp_path / "pipe").is_fifo()
    assert names(tmp_path) == ["pipe"]


def test_a_folder_that_is_missing_here_is_named(ag: Agave, remote: str, tmp_path: Path) -> None:
    put(ag, f"{remote}/a", b"new")
    for bring in (ag.files_download, ag.download_uri):
        with pytest.raises(FileNotFoundError, match="There is no such folder: '.*/nowhere'"):
            bring(f"agave://{remote}/a", tmp_path / "nowhere" / "a")
    assert names(tmp_path) == []


# Broken off, and gone on with


def test_a_transfer_that_breaks_goes_on_where_it_broke(
    ag: Agave, tenant: Sandbox, through: Agave, relay: Relay, remote: str, tmp_path: Path
) -> None:
    data = noise(3 * MEGABYTE)
    put(ag, f"{remote}/a", data)
    through.systems.list(limit=1)  # its connection is not cut
    relay.cuts = [("down", 2 * MEGABYTE), ("down", MEGABYTE)]
    seen = len(tenant.requests)
    through.close()
    through.files_download(f"{remote}/a", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == data
    assert ranges(tenant, seen)[1:] == [206] * len(ranges(tenant, seen)[1:])
    assert len(ranges(tenant, seen)) >= 2


def test_a_second_call_goes_on_with_what_the_first_brought(
    ag: Agave, tenant: Sandbox, through: Agave, relay: Relay, remote: str, tmp_path: Path
) -> None:
    data = noise(4 * MEGABYTE)
    put(ag, f"{remote}/a", data)
    relay.cuts = [("down", 3 * MEGABYTE), *[("down", 0)] * 20]
    with pytest.raises(OSError, match="no answer from|broke"):
        through.files_download(f"{remote}/a", tmp_path / "a")
    assert names(tmp_path) == [".a.part", ".a.part.json"]
    state = json.loads((tmp_path / ".a.part.json").read_text())
    assert state["size_bytes"] == len(data)
    assert sum(end - start for start, end in state["done"]) > 2 * MEGABYTE
    relay.cuts.clear()
    seen = len(tenant.requests)
    told: list[int] = []
    through.files_download(f"{remote}/a", tmp_path / "a", progress=lambda done, total, name: told.append(done))
    assert (tmp_path / "a").read_bytes() == data
    assert ranges(tenant, seen) == [206]
    assert told[0] > 2 * MEGABYTE
    assert told[-1] == len(data)
    assert names(tmp_path) == ["a"]


def test_a_file_that_changed_meanwhile_is_brought_anew(
    ag: Agave, through: Agave, relay: Relay, remote: str, tmp_path: Path
) -> None:
    put(ag, f"{remote}/a", noise(4 * MEGABYTE))
    relay.cuts = [("down", 3 * MEGABYTE), *[("down", 0)] * 20]
    with pytest.raises(OSError, match="no answer from|broke"):
        through.files_download(f"{remote}/a", tmp_path / "a")
    relay.cuts.clear()
    changed = noise(4 * MEGABYTE)
    put(ag, f"{remote}/a", changed)
    through.files_download(f"{remote}/a", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == changed


def test_a_token_that_expires_in_the_middle_is_renewed(
    tenant: Sandbox, relay: Relay, remote: str, ag: Agave, tmp_path: Path
) -> None:
    data = noise(3 * MEGABYTE)
    put(ag, f"{remote}/a", data)
    own = tenant.client()
    own.api_server = relay.url
    relay.cuts = [("down", 2 * MEGABYTE)]

    def expire(done: int, total: int | None, name: str) -> None:
        if done > MEGABYTE and not expired:
            expired.append(done)
            tenant.expire_tokens()

    expired: list[int] = []
    own.files_download(f"{remote}/a", tmp_path / "a", progress=expire)
    own.close()
    assert expired
    assert (tmp_path / "a").read_bytes() == data


def test_two_downloads_of_one_file_do_not_mix(ag: Agave, remote: str, tmp_path: Path) -> None:
    put(ag, f"{remote}/a", noise(MEGABYTE))
    refused: list[BaseException] = []

    def again(done: int, total: int | None, name: str) -> None:
        if not refused:
            with pytest.raises(AgaveError, match="another download of this file is under way") as caught:
                ag.files_download(f"{remote}/a", tmp_path / "a", progress=False)
            refused.append(caught.value)

    ag.files_download(f"{remote}/a", tmp_path / "a", progress=again)
    assert refused
    assert names(tmp_path) == ["a"]


_INTERRUPTED = """
import signal, sys
from agavepy.agave import Agave
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has its background jobs ignore it
url, token, source, target = sys.argv[1:]
ag = Agave(api_server=url, token=token)
def told(done, total, name):
    print("at", done, flush=True)
    sys.stdin.readline()
ag.files_download(source, target, progress=told)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_program_leaves_no_wrong_file(
    ag: Agave, tenant: Sandbox, remote: str, tmp_path: Path, number: signal.Signals
) -> None:
    data = noise(20 * MEGABYTE)
    put(ag, f"{remote}/a", data)
    command = [sys.executable, "-c", _INTERRUPTED, tenant.url, str(ag.token), f"{remote}/a", str(tmp_path / "a")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        for line in process.stdout:
            if int(line.split()[1]) > 17 * MEGABYTE:
                break
            process.stdin.write("\n")
            process.stdin.flush()
        process.send_signal(number)
        process.wait()
        process.stdin.close()
    assert not (tmp_path / "a").exists()
    told: list[int] = []
    ag.files_download(f"{remote}/a", tmp_path / "a", progress=lambda done, total, name: told.append(done))
    assert told[0] >= 16 * MEGABYTE  # kept even by who was killed
    assert (tmp_path / "a").read_bytes() == data
    assert names(tmp_path) == ["a"]


def test_what_is_needed_to_go_on_is_never_written_by_way_of_a_link(ag: Agave, remote: str, tmp_path: Path) -> None:
    data = noise(20 * MEGABYTE)
    put(ag, f"{remote}/a", data)
    (tmp_path / "other").write_text("somebody's")
    for name in (".a.part.json", ".a.part.json~"):
        (tmp_path / name).symlink_to("other")
    ag.files_download(f"{remote}/a", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == data
    assert (tmp_path / "other").read_text() == "somebody's"
    assert names(tmp_path) == ["a", "other"]


def test_a_full_disk_is_an_error_and_the_rest_comes_when_there_is_room(
    ag: Agave, tenant: Sandbox, remote: str, tmp_path: Path
) -> None:
    resource = pytest.importorskip("resource")
    data = noise(24 * MEGABYTE)
    put(ag, f"{remote}/a", data)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20 * MEGABYTE, hard))
    try:
        with pytest.raises(OSError, match=r"\.a\.part"):
            ag.files_download(f"{remote}/a", tmp_path / "a")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / "a").exists()
    seen = len(tenant.requests)
    ag.files_download(f"{remote}/a", tmp_path / "a")
    assert ranges(tenant, seen) == [206]
    assert (tmp_path / "a").read_bytes() == data


# In parts


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "PARALLEL_FROM_BYTES", 4 * MEGABYTE)
    monkeypatch.setattr(fetch, "PROBE_BYTES", MEGABYTE)
    monkeypatch.setattr(fetch, "SEGMENT_BYTES", MEGABYTE)


@pytest.fixture
def slow_lines(small_parts: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """However fast this machine is."""
    monkeypatch.setattr(fetch, "FAST_BYTES_PER_S", math.inf)


@pytest.mark.usefixtures("slow_lines")
def test_a_large_file_is_brought_in_parts_at_the_same_time(
    ag: Agave, tenant: Sandbox, remote: str, tmp_path: Path
) -> None:
    data = noise(5 * MEGABYTE + 1)
    put(ag, f"{remote}/a", data)
    seen = len(tenant.requests)
    ag.files_download(f"{remote}/a", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == data
    assert sorted(ranges(tenant, seen)) == [200, 206, 206, 206, 206, 206]


@pytest.mark.usefixtures("slow_lines")
def test_what_is_missing_is_brought_in_parts_wherever_the_first_gap_ends(
    ag: Agave, tenant: Sandbox, remote: str, tmp_path: Path
) -> None:
    data = noise(8 * MEGABYTE)
    put(ag, f"{remote}/a", data)
    with Part(tmp_path / "a") as part:
        head = ag.files.download(systemId="sandbox-storage", filePath=f"{remote.partition('/')[2]}/a").headers
        part.restart(Remote(len(data), head["ETag"], head["Last-Modified"]))
        part.write(MEGABYTE, data[MEGABYTE : 2 * MEGABYTE])  # the gap before it is just what shows the pace
    seen = len(tenant.requests)
    ag.files_download(f"{remote}/a", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == data
    assert ranges(tenant, seen) == [206] * 7


@pytest.mark.usefixtures("small_parts")
def test_one_line_is_enough_where_it_is_fast(
    ag: Agave, tenant: Sandbox, remote: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "FAST_BYTES_PER_S", 0)
    data = noise(5 * MEGABYTE + 1)
    put(ag, f"{remote}/a", data)
    seen = len(tenant.requests)
    ag.files_download(f"{remote}/a", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == data
    assert ranges(tenant, seen) == [200]


@pytest.mark.usefixtures("slow_lines")
def test_parts_that_break_go_on_too(ag: Agave, through: Agave, relay: Relay, remote: str, tmp_path: Path) -> None:
    data = noise(6 * MEGABYTE)
    put(ag, f"{remote}/a", data)
    relay.cuts = [("down", MEGABYTE // 2 + 1000 * number) for number in range(6)]
    through.files_download(f"{remote}/a", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == data


# Folders


@pytest.fixture
def tree(ag: Agave, remote: str) -> dict[str, bytes]:
    ag.files_mkdir(f"{remote}/sub/empty")
    files = {path: noise(100) for path in ("a.txt", "b.csv", ".hidden", "sub/c.txt", "sub/a#b?.txt")}
    files["sub/zero"] = b""
    for path, data in files.items():
        put(ag, f"{remote}/{path}", data)
    return files


def _keywords(address: str) -> dict[str, str]:
    system, _, path = address.partition("/")
    return {"systemId": system, "filePath": path}


def test_a_folder_comes_with_all_it_holds(ag: Agave, remote: str, tree: dict[str, bytes], tmp_path: Path) -> None:
    ag.files_download(remote, tmp_path / "down")
    assert held(tmp_path / "down") == tree
    assert (tmp_path / "down" / "sub" / "empty").is_dir()


def test_the_same_call_again_gives_the_same(ag: Agave, remote: str, tree: dict[str, bytes], tmp_path: Path) -> None:
    for _ in range(2):
        ag.files_download(remote, tmp_path / "down")
        assert held(tmp_path / "down") == tree


def test_globs_choose_files(ag: Agave, remote: str, tree: dict[str, bytes], tmp_path: Path) -> None:
    ag.files_download(remote, tmp_path / "one", include="*.txt")
    assert sorted(held(tmp_path / "one")) == ["a.txt", "sub/a#b?.txt", "sub/c.txt"]
    ag.files_download(remote, tmp_path / "two", exclude=["sub", ".*"])
    assert sorted(held(tmp_path / "two")) == ["a.txt", "b.csv"]
    ag.files_download(remote, tmp_path / "three", include=["sub/*"], exclude="zero")
    assert sorted(held(tmp_path / "three")) == ["sub/a#b?.txt", "sub/c.txt"]


def test_a_folder_of_more_than_one_page(ag: Agave, remote: str, tmp_path: Path) -> None:
    for number in range(260):
        put(ag, f"{remote}/{number:03}", b"%d" % number)
    ag.files_download(remote, tmp_path / "down")
    assert held(tmp_path / "down") == {f"{number:03}": b"%d" % number for number in range(260)}


def test_some_failures_do_not_stop_the_others_and_are_all_named(
    ag: Agave, remote: str, tree: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "down" / "b.csv").mkdir(parents=True)
    with pytest.raises(TransferError, match="1 not transferred") as caught:
        ag.files_download(remote, tmp_path / "down")
    assert list(caught.value.failures) == [f"{remote}/b.csv"]
    (tmp_path / "down" / "b.csv").rmdir()
    assert held(tmp_path / "down") == {path: data for path, data in tree.items() if path != "b.csv"}


def test_a_folder_that_may_not_be_read_does_not_stop_the_others(
    tenant: Sandbox, ag: Agave, remote: str, tmp_path: Path
) -> None:
    for path in ("a", "closed/b", "open/c"):
        ag.files_mkdir(f"{remote}/{path}".rpartition("/")[0])
        put(ag, f"{remote}/{path}", b"12345")
    for path in ("", "/a", "/open", "/open/c"):
        ag.files_pems_update(f"{remote}{path}", "collab", "READ")
    other = tenant.client("collab")
    with pytest.raises(TransferError, match="1 not transferred: .*/closed: 403") as caught:
        other.files_download(remote, tmp_path / "down")
    assert list(caught.value.failures) == [f"{remote}/closed"]
    assert held(tmp_path / "down") == {"a": b"12345", "open/c": b"12345"}
    with pytest.raises(AgaveHTTPError, match="403"):
        other.files_download(f"{remote}/closed", tmp_path / "down")
    other.close()


def test_a_walk_tells_of_folders_that_may_not_be_read(tenant: Sandbox, ag: Agave, remote: str) -> None:
    for folder in ("closed", "open"):
        ag.files_mkdir(f"{remote}/{folder}")
    for path in ("", "/open"):
        ag.files_pems_update(f"{remote}{path}", "collab", "READ")
    other = tenant.client("collab")
    told: list[AgaveHTTPError] = []
    walked = [folder.removeprefix(remote) for folder, _, _ in other.files_walk(remote, onerror=told.append)]
    assert walked == ["", "/open"]
    assert [each.status_code for each in told] == [403]
    with pytest.raises(AgaveHTTPError, match="403"):
        list(other.files_walk(remote))
    other.close()


def test_a_file_where_a_folder_is_to_be_does_not_stop_the_others(
    ag: Agave, remote: str, tree: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "down").mkdir()
    (tmp_path / "down" / "sub").touch()
    with pytest.raises(TransferError, match=r"sub cannot be made: a file is in its way\. The same") as caught:
        ag.files_download(remote, tmp_path / "down")
    assert [(name, type(error)) for name, error in caught.value.failures.items()] == [(f"{remote}/sub", FileConflict)]
    expected = {path: data for path, data in tree.items() if not path.startswith("sub/")}
    assert held(tmp_path / "down") == {"sub": b"", **expected}
    with pytest.raises(FileConflict, match="cannot be made"):
        ag.files_download(remote, tmp_path / "down" / "sub" / "below")


def test_a_link_in_the_destination_does_not_lead_out_of_it(
    ag: Agave, remote: str, tree: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "down").mkdir()
    (tmp_path / "down" / "sub").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TransferError, match="sub is a link") as caught:
        ag.files_download(remote, tmp_path / "down")
    assert list(caught.value.failures) == [f"{remote}/sub"]
    assert names(tmp_path / "elsewhere") == []


@pytest.mark.parametrize("ends", [["", ".json"], [".json~"]])
def test_a_file_called_as_the_part_of_another_does_not_mix_with_it(
    ag: Agave, remote: str, tmp_path: Path, ends: list[str]
) -> None:
    files = {f".x.part{end}": noise(2000) for end in ends}
    files["x"] = noise(17 * MEGABYTE)  # so large that how far it is was saved in between
    for name, data in files.items():
        put(ag, f"{remote}/{name}", data)
    ag.files_download(remote, tmp_path / "down", workers=3)
    assert held(tmp_path / "down") == files


def test_progress_is_told_file_by_file(ag: Agave, remote: str, tree: dict[str, bytes], tmp_path: Path) -> None:
    last: dict[str, Any] = {}
    ag.files_download(
        remote, tmp_path / "down", progress=lambda done, total, name: last.__setitem__(name, (done, total))
    )
    assert last == {path: (len(data), len(data)) for path, data in tree.items()}


def test_a_program_that_is_interrupted_stops_all_hands(ag: Agave, remote: str, tmp_path: Path) -> None:
    for number in range(20):
        put(ag, f"{remote}/{number}", noise(1000))

    def interrupt(done: int, total: int | None, name: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ag.files_download(remote, tmp_path / "down", progress=interrupt)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("agavepy-transfer")]
    assert held(tmp_path / "down") == {}
