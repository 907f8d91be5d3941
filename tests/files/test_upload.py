"""Files and folders to a system: whole and right, or an error."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agavepy.agave import Agave
from agavepy.errors import AgaveError, AgaveHTTPError, FileConflict, TransferError
from agavepy.sandbox import Sandbox

from ..recording import Answer, Received, Recorder
from ..relay import Relay, relaying
from .conftest import got, noise, put

MEGABYTE = 1 << 20


@pytest.fixture
def relay(tenant: Sandbox) -> Iterator[Relay]:
    with relaying(tenant.url) as running:
        yield running


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "tree"
    (top / "sub" / "empty").mkdir(parents=True)
    for path in ("a.txt", "b.csv", ".hidden", "sub/c.txt", "sub/a#b?%25.txt", 'sub/q"uote\n.txt'):
        (top / path).write_bytes(noise(100))
    (top / "sub" / "zero").touch()
    return top


def listed(ag: Agave, address: str) -> dict[str, list[str]]:
    """Return folder → names of a tree, relative to its top."""
    return {place.removeprefix(address): sorted([*folders, *files]) for place, folders, files in ag.files_walk(address)}


# One file


@pytest.mark.parametrize("size", [0, 1, 3 * MEGABYTE + 7])
def test_a_file_is_stored_as_it_is(ag: Agave, remote: str, tmp_path: Path, size: int) -> None:
    (tmp_path / "a").write_bytes(noise(size))
    ag.files_upload(tmp_path / "a", f"{remote}/b")
    assert got(ag, f"{remote}/b") == (tmp_path / "a").read_bytes()


def test_a_folder_that_is_there_takes_the_file_in(ag: Agave, remote: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    ag.files_upload(str(tmp_path / "a"), remote)
    ag.files_upload(str(tmp_path / "a"), f"{remote}/new/folder/")
    assert listed(ag, remote) == {"": ["a", "new"], "/new": ["folder"], "/new/folder": ["a"]}


def test_the_home_folder_of_a_system_takes_a_file_in(ag: Agave, tenant: Sandbox, tmp_path: Path) -> None:
    admin = tenant.client("admin")
    (tmp_path / "top").write_bytes(b"x")
    admin.files_upload(tmp_path / "top", "sandbox-storage")
    assert got(admin, "sandbox-storage/top") == b"x"
    admin.files_delete("sandbox-storage/top")
    admin.close()


def test_what_is_not_there_cannot_be_sent(ag: Agave, remote: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ag.files_upload(tmp_path / "nothing", f"{remote}/x")
    assert listed(ag, remote) == {"": []}


def test_a_pipe_is_no_file(ag: Agave, remote: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(AgaveError, match="is no regular file"):
        ag.files_upload(tmp_path / "pipe", f"{remote}/x")


def test_a_name_that_is_no_text_says_so(ag: Agave, remote: str, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"bad\xff")
    try:
        path.touch()
    except OSError:
        pytest.skip("this file system takes names of text only")
    with pytest.raises(AgaveError, match=r"bad\\udcff' cannot be sent: its name is not UTF-8"):
        ag.files_upload(path, f"{remote}/")
    with pytest.raises(TransferError) as caught:
        ag.files_upload(tmp_path, f"{remote}/")
    str(caught.value).encode()  # it can be printed


def test_who_may_not_write_is_told_so(tenant: Sandbox, remote: str, tmp_path: Path) -> None:
    stranger = tenant.client("collab")
    (tmp_path / "a").touch()
    with pytest.raises(AgaveHTTPError) as caught:
        stranger.files_upload(tmp_path / "a", f"{remote}/a")
    assert caught.value.status_code in (401, 403)
    stranger.close()


# What is there already


def test_overwrite_true_replaces_and_false_is_an_error(ag: Agave, remote: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"new")
    put(ag, f"{remote}/a", b"old")
    for destination in (f"{remote}/a", remote, f"{remote}/"):
        with pytest.raises(FileConflict, match="is there already"):
            ag.files_upload(tmp_path / "a", destination, overwrite=False)
    assert got(ag, f"{remote}/a") == b"old"
    ag.files_upload(tmp_path / "a", f"{remote}/a")
    assert got(ag, f"{remote}/a") == b"new"


@pytest.mark.parametrize(("age_s", "is_replaced"), [(3600, False), (-3600, True)])
def test_overwrite_newer_replaces_older_files_only(
    ag: Agave, remote: str, tmp_path: Path, age_s: int, is_replaced: bool
) -> None:
    put(ag, f"{remote}/a", b"there")
    (tmp_path / "a").write_bytes(b"local")
    moment = time.time() - age_s
    os.utime(tmp_path / "a", (moment, moment))
    ag.files_upload(tmp_path / "a", f"{remote}/a", overwrite="newer")
    assert (got(ag, f"{remote}/a") == b"local") is is_replaced


def test_a_folder_is_not_replaced_by_a_file(ag: Agave, remote: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    ag.files_mkdir(f"{remote}/a")
    with pytest.raises(FileConflict, match="is a folder"):
        ag.files_upload(tmp_path / "a", f"{remote}/", overwrite="newer")


# Folders


def test_a_folder_does_not_replace_a_file(ag: Agave, remote: str, tree: Path) -> None:
    put(ag, f"{remote}/a", b"old")
    with pytest.raises(AgaveHTTPError, match="400 .*a file is in its way"):
        ag.files_upload(tree, f"{remote}/a")
    assert got(ag, f"{remote}/a") == b"old"


def test_a_folder_goes_with_all_it_holds(ag: Agave, remote: str, tree: Path, tmp_path: Path) -> None:
    ag.files_upload(tree, f"{remote}/up")
    assert listed(ag, f"{remote}/up") == {
        "": [".hidden", "a.txt", "b.csv", "sub"],
        "/sub": ["a#b?%25.txt", "c.txt", "empty", 'q"uote\n.txt', "zero"],
        "/sub/empty": [],
    }
    ag.files_download(f"{remote}/up", tmp_path / "down")
    for path in (path for path in tree.rglob("*") if path.is_file()):
        assert (tmp_path / "down" / path.relative_to(tree)).read_bytes() == path.read_bytes()


def test_globs_choose_files(ag: Agave, remote: str, tree: Path) -> None:
    ag.files_upload(tree, f"{remote}/up", include="*.txt", exclude="sub/c*")
    assert listed(ag, f"{remote}/up") == {"": ["a.txt", "sub"], "/sub": ["a#b?%25.txt", 'q"uote\n.txt']}


def test_the_same_call_again_sends_only_what_is_newer_where_that_is_asked_for(
    ag: Agave, tenant: Sandbox, remote: str, tree: Path
) -> None:
    ag.files_upload(tree, f"{remote}/up")
    later = time.time() + 60
    os.utime(tree / "a.txt", (later, later))
    seen = len(tenant.requests)
    ag.files_upload(tree, f"{remote}/up", overwrite="newer")
    assert [each["operation"] for each in tenant.requests[seen:]].count("files.importData") == 1


def test_links_are_followed_but_not_round_in_a_circle(ag: Agave, remote: str, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "d.txt").write_bytes(b"d")
    (tree / "file-link").symlink_to(tree / "a.txt")
    (tree / "folder-link").symlink_to(tmp_path / "elsewhere")
    (tree / "sub" / "circle").symlink_to(tree)
    (tree / "broken").symlink_to(tmp_path / "nothing")
    with pytest.raises(TransferError, match="2 not transferred") as caught:
        ag.files_upload(tree, f"{remote}/up")
    assert sorted(caught.value.failures) == [str(tree / "broken"), str(tree / "sub" / "circle")]
    assert got(ag, f"{remote}/up/file-link") == (tree / "a.txt").read_bytes()
    assert got(ag, f"{remote}/up/folder-link/d.txt") == b"d"
    assert got(ag, f"{remote}/up/sub/c.txt") == (tree / "sub" / "c.txt").read_bytes()


# Broken off


def test_an_upload_that_breaks_is_sent_again_and_whole(
    ag: Agave, tenant: Sandbox, relay: Relay, remote: str, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(noise(4 * MEGABYTE))
    through = Agave(api_server=relay.url, token=str(ag.token))
    relay.cuts = [("up", MEGABYTE), ("up", 2 * MEGABYTE)]
    through.files_upload(tmp_path / "a", f"{remote}/a")
    assert got(ag, f"{remote}/a") == (tmp_path / "a").read_bytes()
    through.close()


def test_an_upload_that_never_arrives_leaves_what_was_there(
    ag: Agave, relay: Relay, remote: str, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(noise(4 * MEGABYTE))
    put(ag, f"{remote}/a", b"before")
    through = Agave(api_server=relay.url, token=str(ag.token))
    through.files.list(systemId="sandbox-storage", filePath="nryan")
    relay.cuts = [("up", MEGABYTE)] * 20
    through.close()
    with pytest.raises(OSError, match="no answer from"):
        through.files_upload(tmp_path / "a", f"{remote}/a")
    assert got(ag, f"{remote}/a") == b"before"
    through.close()


def test_an_upload_whose_token_has_expired_is_sent_whole(
    tenant: Sandbox, ag: Agave, remote: str, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(noise(2 * MEGABYTE))
    tenant.expire_tokens()
    ag.files_upload(tmp_path / "a", f"{remote}/a")
    assert got(ag, f"{remote}/a") == (tmp_path / "a").read_bytes()


def answers(recorder: Recorder, *, sizes: list[int | None], digest: str = "") -> list[Received]:
    """Have a server store what it likes: it lists the sizes one after the other; return the uploads it got."""
    uploads: list[Received] = []

    def answer(received: Received) -> Answer:
        if received.verb == "POST":
            uploads.append(received)
            return Answer(202, headers=(("Digest", digest),) if digest else ())
        size = sizes.pop(0) if sizes else None
        if size is None:
            return Answer(404, b'{"status": "error", "message": "not there", "version": "1"}')
        return _listing({"name": "a", "type": "file", "length": size})

    recorder.script = [answer] * 1000
    return uploads


def _listing(*records: dict[str, Any]) -> Answer:
    import json

    return Answer(body=json.dumps({"status": "success", "message": None, "version": "1", "result": records}).encode())


def test_a_server_that_stores_after_its_answer_is_waited_for(recorder: Recorder, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    uploads = answers(recorder, sizes=[None, None, 2, 5])
    ag = Agave(api_server=recorder.url, token="t")
    ag.files_upload(tmp_path / "a", "data/x/a")
    assert len(uploads) == 1
    ag.close()


def test_a_server_that_goes_on_storing_is_waited_for_as_long_as_the_file_grows(
    recorder: Recorder, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(bytes(31))
    uploads = answers(recorder, sizes=[None, *range(31), 31])
    ag = Agave(api_server=recorder.url, token="t")
    ag.files_upload(tmp_path / "a", "data/x/a")
    assert len(uploads) == 1
    ag.close()


def test_a_server_that_stores_less_than_was_sent_is_an_error(recorder: Recorder, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    uploads = answers(recorder, sizes=[None, *[4] * 100])
    ag = Agave(api_server=recorder.url, token="t")
    with pytest.raises(AgaveError, match="the server has other bytes than"):
        ag.files_upload(tmp_path / "a", "data/x/a")
    assert len(uploads) > 1
    ag.close()


def test_a_server_that_stores_other_bytes_is_an_error(recorder: Recorder, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    wrong = base64.b64encode(bytes(32)).decode()
    uploads = answers(recorder, sizes=[], digest=f"sha-256={wrong}")
    ag = Agave(api_server=recorder.url, token="t")
    with pytest.raises(AgaveError, match="the server has other bytes than"):
        ag.files_upload(tmp_path / "a", "data/x/a")
    assert len(uploads) == 4
    ag.close()


def test_progress_is_told_from_nothing_to_all(ag: Agave, remote: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(noise(MEGABYTE))
    told: list[tuple[int, int | None, str]] = []
    ag.files_upload(tmp_path / "a", f"{remote}/a", progress=lambda *facts: told.append(facts))
    assert told[0] == (0, MEGABYTE, "a")
    assert told[-1] == (MEGABYTE, MEGABYTE, "a")
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
