"""Whole files or errors, never half ones: several writers, files that change under a reader, a full disk."""

from __future__ import annotations

import concurrent.futures
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from agavepy.sandbox import Sandbox
from agavepy.sandbox.answers import FileAnswer

from .conftest import TIMEOUT_S, Http
from .test_files import Storage, private_storage, real

CONTENT = bytes(range(256)) * 40_000  # ten chunks
LIMIT_BYTES = 8 << 20
TENANT_WITHOUT_ROOM = f"""
import json, resource, sys
from agavepy.sandbox import Sandbox
resource.setrlimit(resource.RLIMIT_FSIZE, ({LIMIT_BYTES}, {LIMIT_BYTES}))
with Sandbox(sys.argv[1]) as tenant:
    key, secret = tenant.api_client()
    print(json.dumps([tenant.url, key, secret, tenant.username, tenant.password]), flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def disk(http: Http) -> Storage:
    return private_storage(http)


# Writers


def test_a_folder_that_is_made_meanwhile_is_not_there_or_takes_the_file(tenant: Sandbox, disk: Storage) -> None:
    def send(session: Http, folder: str) -> tuple[int, str]:
        body, files = {"fileName": "a"}, {"fileToUpload": ("a", b"a")}
        answer = session.post(Storage(session, disk.id).url("media", folder), data=body, files=files)
        return answer.status_code, answer.json()["message"]

    def make(session: Http, folder: str) -> None:
        Storage(session, disk.id).act("", "mkdir", folder, status=201)

    sessions = [Http(tenant) for _ in range(5)]
    with concurrent.futures.ThreadPoolExecutor(len(sessions)) as pool:
        for number in range(40):
            sent = [pool.submit(send, each, f"f{number}") for each in sessions[1:]]
            pool.submit(make, sessions[0], f"f{number}").result()
            missing = f"Destination path /home/ann/f{number} does not exist."
            assert {each.result() for each in sent} <= {(202, None), (404, missing)}
    for each in sessions:
        each.close()


def test_of_two_writers_of_one_file_one_wins_whole(tenant: Sandbox, disk: Storage) -> None:
    contents = [bytes([number]) * (2_000_000 + number) for number in range(4)]
    sessions = [Http(tenant) for _ in contents]

    def write(session: Http, content: bytes) -> int:
        storage = Storage(session, disk.id)
        return max(session.post(storage.url("media", ""), files={"fileToUpload": ("a", content)}).status_code
                   for _ in range(4))  # fmt: skip

    seen: list[bytes] = []
    with concurrent.futures.ThreadPoolExecutor(len(contents)) as pool:
        writers = [pool.submit(write, *each) for each in zip(sessions, contents, strict=True)]
        while not all(each.done() for each in writers):
            answer = disk.http.get(disk.url("media", "a"))
            seen += [answer.content] if answer.status_code == 200 else []
        assert {each.result() for each in writers} == {202}
    for session in sessions:
        session.close()
    assert {*seen, disk.get("a")} <= set(contents)
    assert list(tenant.state.disk.incoming.iterdir()) == []


def test_a_file_that_is_overwritten_while_it_is_read_comes_whole(disk: Storage) -> None:
    disk.put("", CONTENT, name="a")
    with disk.http.get(disk.url("media", "a"), stream=True) as answer:
        disk.put("", b"new", name="a")
        assert answer.content == CONTENT
    assert disk.get("a") == b"new"


# Readers


class Reading:
    """A download that stops before its second chunk until it is told to go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._reached, self._go_on = threading.Event(), threading.Event()
        read = FileAnswer._read

        def stopping(answer: FileAnswer, position: int, size: int) -> bytes:
            if position > 0:
                self._reached.set()
                assert self._go_on.wait(TIMEOUT_S)
            return read(answer, position, size)

        monkeypatch.setattr(FileAnswer, "_read", stopping)

    def of(self, disk: Storage, name: str, meanwhile: Any) -> bytes:
        """Return what a download of a file brings during which ``meanwhile`` is called."""
        with disk.http.get(disk.url("media", name), stream=True) as answer:
            assert self._reached.wait(TIMEOUT_S)
            meanwhile()
            self._go_on.set()
            return answer.content


def test_a_file_that_is_deleted_while_it_is_read_comes_whole(disk: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    disk.put("", CONTENT, name="a")
    assert Reading(monkeypatch).of(disk, "a", lambda: disk.delete("a")) == CONTENT
    assert disk.names() == ["."]


def test_a_log_that_grows_while_it_is_read_comes_as_it_was(
    tenant: Sandbox, disk: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.put("", CONTENT, name="a.log")

    def grow() -> None:
        with real(tenant, disk, "a.log").open("ab") as file:
            file.write(b"more")

    assert Reading(monkeypatch).of(disk, "a.log", grow) == CONTENT


@pytest.mark.parametrize("how", ["rewritten", "cut"])
def test_a_file_that_is_rewritten_in_place_while_it_is_read_is_a_broken_download(
    tenant: Sandbox, disk: Storage, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    disk.put("", CONTENT, name="a")

    def change() -> None:
        with real(tenant, disk, "a").open("r+b") as file:
            file.write(CONTENT[::-1]) if how == "rewritten" else file.truncate(10)

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        Reading(monkeypatch).of(disk, "a", change)
    assert disk.http.get(disk.url("media", "a")).status_code == 200  # the tenant goes on


# A full disk


@pytest.fixture
def full(tmp_path: Path) -> Iterator[tuple[Storage, Path]]:
    """The home on a tenant on whose disk no file can have more than 8 MiB, and its folder."""
    command = [sys.executable, "-c", TENANT_WITHOUT_ROOM, str(tmp_path)]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process, requests.Session() as session:
        assert process.stdout is not None
        url, key, secret, user, password = json.loads(process.stdout.readline())
        form = {"grant_type": "password", "username": user, "password": password, "scope": "PRODUCTION"}
        token = session.post(f"{url}/token", auth=(key, secret), data=form, timeout=TIMEOUT_S).json()["access_token"]
        session.headers["Authorization"] = f"Bearer {token}"
        yield Storage(_Based(session, url), "sandbox-storage"), tmp_path
        process.communicate(timeout=TIMEOUT_S)


class _Based:
    """A session with paths instead of addresses."""

    def __init__(self, session: requests.Session, url: str) -> None:
        self._session, self._url = session, url

    def __getattr__(self, verb: str) -> Any:
        return lambda path, **more: getattr(self._session, verb)(f"{self._url}{path}", timeout=TIMEOUT_S, **more)


HOME = "/home/sandbox"


@pytest.mark.parametrize("size", [LIMIT_BYTES + 1, 3 * LIMIT_BYTES])
def test_an_upload_for_which_there_is_no_room_is_refused_and_the_old_file_stays(
    full: tuple[Storage, Path], size: int
) -> None:
    disk, root = full
    disk.put(HOME, b"old", name="a")
    refused = disk.put(HOME, bytes(size), name="a", status=507)
    assert "no room" in refused
    assert disk.get(f"{HOME}/a") == b"old"
    disk.put(HOME, bytes(size), name="b", status=507)
    assert disk.names(HOME) == [".", "a"]
    assert list((root / "incoming").iterdir()) == []
    disk.put(HOME, b"new", name="a")  # and it goes on
    assert disk.get(f"{HOME}/a") == b"new"


def test_a_file_for_whose_growth_there_is_no_room_stays_as_it_was(full: tuple[Storage, Path]) -> None:
    disk, root = full
    content = os.urandom(LIMIT_BYTES // 2 + 1)
    for name in ("a", "b"):
        disk.put(HOME, content, name=name)
    disk.act(f"{HOME}/a", "copy", f"{HOME}/b", append=True, status=507)
    assert disk.get(f"{HOME}/b") == content
    assert list((root / "incoming").iterdir()) == []


# Links and holes


def test_a_link_is_downloaded_and_overwritten_as_the_file_it_leads_to(tenant: Sandbox, disk: Storage) -> None:
    disk.put("", b"one", name="a")
    real(tenant, disk, "link").symlink_to("a")
    assert disk.get("link") == b"one"
    listed = {each["name"]: each["length"] for each in disk.list()}
    assert listed["link"] == 3


def test_a_file_with_holes_is_copied_and_downloaded_whole_and_keeps_its_holes(tenant: Sandbox, disk: Storage) -> None:
    size = 1 << 30
    disk.list()
    place = real(tenant, disk, "sparse")
    with place.open("wb") as file:
        file.write(b"head")
        file.truncate(size)
        file.seek(size - 4)
        file.write(b"tail")
    disk.act("sparse", "copy", f"{disk.list('')[0]['path']}/copy")
    copied = real(tenant, disk, "copy")
    assert copied.stat().st_size == size
    assert copied.stat().st_blocks <= place.stat().st_blocks + 64
    tail = disk.http.get(disk.url("media", "copy"), headers={"Range": "bytes=-6"})
    assert tail.content == b"\0\0tail"
    assert disk.get("copy", status=206, Range="bytes=0-5") == b"head\0\0"
