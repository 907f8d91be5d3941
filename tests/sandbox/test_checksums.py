"""Digest on downloads and uploads, RFC 3230: of the whole file, never stale, never twice the work."""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import time
from pathlib import Path

import google_crc32c
import pytest
import requests

from agavepy.sandbox import Sandbox, checksums

from .compute import Compute
from .conftest import Http
from .test_files import Storage, private_storage, real

CONTENT = bytes(range(256)) * 9_000
WANTED = {"Want-Digest": "sha-256"}


@pytest.fixture
def disk(http: Http) -> Storage:
    return private_storage(http)


def digest(data: bytes) -> str:
    return "sha-256=" + base64.b64encode(hashlib.sha256(data).digest()).decode()


def form(content: bytes, *headers: str) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of an upload whose file part has headers of its own."""
    lines = ['Content-Disposition: form-data; name="fileToUpload"; filename="a.bin"', *headers, "", ""]
    body = b"--xy\r\n" + "\r\n".join(lines).encode() + content + b"\r\n--xy--\r\n"
    return body, {"Content-Type": "multipart/form-data; boundary=xy"}


def send(disk: Storage, content: bytes, *headers: str) -> requests.Response:
    body, about = form(content, *headers)
    return disk.http.post(disk.url("media", ""), data=body, headers=about)


def put_behind_its_back(tenant: Sandbox, disk: Storage, content: bytes, *, age_s: float = 60) -> Path:
    """Write a file as a job would, and let it be from a while ago."""
    disk.list()
    place = real(tenant, disk, "a.bin")
    place.write_bytes(content)
    old = time.time() - age_s
    os.utime(place, (old, old))
    return place


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count how often a file is read for its checksum."""
    seen: list[int] = []
    work_out = checksums._of_file
    monkeypatch.setattr(checksums, "_of_file", lambda handle, name: (seen.append(1), work_out(handle, name))[1])
    return seen


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=3-9"}], ids=["whole", "range"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_was_uploaded_is_downloaded_with_the_digest_of_the_whole(
    disk: Storage,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    headers: dict[str, str],
) -> None:
    seen = counted(monkeypatch)
    assert send(disk, CONTENT).headers["digest"] == digest(CONTENT)
    answer = disk.http.request(method, disk.url("media", "a.bin"), headers=headers)
    assert answer.status_code == (206 if headers else 200)
    assert answer.headers["digest"] == digest(CONTENT)
    assert seen == []


def test_the_digest_follows_a_file_that_moves(disk: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = counted(monkeypatch)
    send(disk, CONTENT)
    disk.act("a.bin", "rename", "b.bin")
    assert disk.http.head(disk.url("media", "b.bin")).headers["digest"] == digest(CONTENT)
    assert seen == []


def test_the_digest_of_another_file_is_worked_out_once_and_when_asked_for(
    tenant: Sandbox,
    disk: Storage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = counted(monkeypatch)
    put_behind_its_back(tenant, disk, CONTENT)
    address = disk.url("media", "a.bin")
    assert "digest" not in disk.http.get(address).headers
    for headers in (WANTED, {"Want-Digest": "md5;q=0.1, SHA-256;q=1"}, {}):
        assert disk.http.get(address, headers=headers).headers["digest"] == digest(CONTENT)
    assert seen == [1]


@pytest.mark.parametrize("text", ["md5", "sha-256;q=0", "sha-256;q=0.0", "sha-256x", "", "\x7f;;,,"])
def test_who_does_not_want_it_does_not_get_it(tenant: Sandbox, disk: Storage, text: str) -> None:
    put_behind_its_back(tenant, disk, CONTENT)
    assert "digest" not in disk.http.head(disk.url("media", "a.bin"), headers={"Want-Digest": text}).headers


def test_a_file_that_changed_has_another_digest(tenant: Sandbox, disk: Storage) -> None:
    send(disk, CONTENT)
    with real(tenant, disk, "a.bin").open("r+b") as file:
        file.write(b"x")  # in place: same inode, same size, and perhaps the same tick of the system's clock
    address = disk.url("media", "a.bin")
    assert "digest" not in disk.http.head(address).headers
    assert disk.http.head(address, headers=WANTED).headers["digest"] == digest(b"x" + CONTENT[1:])


def test_the_digest_of_a_file_that_changed_just_now_is_not_kept(
    tenant: Sandbox,
    disk: Storage,
) -> None:
    put_behind_its_back(tenant, disk, CONTENT, age_s=0)
    address = disk.url("media", "a.bin")
    assert disk.http.head(address, headers=WANTED).headers["digest"] == digest(CONTENT)
    assert "digest" not in disk.http.head(address).headers  # it may change again without a new date


def test_a_file_that_changes_while_it_is_read_has_no_digest(
    tenant: Sandbox,
    disk: Storage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = put_behind_its_back(tenant, disk, CONTENT)
    work_out = checksums._of_file
    monkeypatch.setattr(
        checksums, "_of_file", lambda handle, name: (place.write_bytes(b"short"), work_out(handle, name))[1]
    )
    assert "digest" not in disk.http.head(disk.url("media", "a.bin"), headers=WANTED).headers


def test_an_upload_that_is_what_its_part_announces_is_stored(disk: Storage) -> None:
    answer = send(disk, CONTENT, f"Digest: md5=x, {digest(CONTENT)}", f"Content-Length: {len(CONTENT)}")
    assert (answer.status_code, answer.headers["digest"]) == (202, digest(CONTENT))


@pytest.mark.parametrize(
    "header",
    [
        f"Digest: {digest(b'other')}",
        "digest: SHA-256=nonsense",
        "Digest: crc32c=1c8ae3c6",
        f"Content-Length: {len(CONTENT) + 1}",
        "Content-Length: 3",
        "Content-Length: x",
    ],
)
@pytest.mark.parametrize("before", [None, b"before"])
def test_an_upload_that_is_not_what_its_part_announces_is_refused_and_nothing_stored(
    tenant: Sandbox,
    disk: Storage,
    header: str,
    before: bytes | None,
) -> None:
    if before is not None:
        send(disk, before)
    answer = send(disk, CONTENT, header)
    assert (answer.status_code, answer.json()["status"]) == (400, "error")
    assert "nothing was stored" in answer.json()["message"]
    assert disk.names() == (["."] if before is None else [".", "a.bin"])
    assert before is None or disk.get("a.bin") == before
    assert list(tenant.state.disk.incoming.iterdir()) == []


def test_a_job_output_has_a_digest_too(tenant: Sandbox, http: Http, compute: Compute) -> None:
    job = compute.run(compute.app("echo out > out.txt\n"))
    address = f"/jobs/v2/{job['id']}/outputs/media/out.txt"
    assert http.get(address, headers=WANTED).headers["digest"] == digest(b"out\n")


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ("", "sha-256"),
        ("crc32c", "crc32c"),
        ("CRC32C", "crc32c"),
        ("sha-256;q=0.5, crc32c", "crc32c"),
        ("crc32c;q=0.1,sha-256;q=0.2", "sha-256"),
        ("crc32c;q=0, md5", "sha-256"),
        ("adler32, crc32c;q=0.001", "crc32c"),
    ],
)
def test_the_checksum_is_the_one_most_wanted(disk: Storage, wanted: str, given: str) -> None:
    send(disk, CONTENT)
    value = {"sha-256": digest(CONTENT), "crc32c": f"crc32c={google_crc32c.value(CONTENT):08x}"}[given]
    headers = {"Want-Digest": wanted} if wanted else {}
    assert disk.http.get(disk.url("media", "a.bin"), headers=headers).headers["digest"] == value


def test_several_checksums_of_a_file_are_worked_out_and_kept(
    tenant: Sandbox, disk: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = counted(monkeypatch)
    put_behind_its_back(tenant, disk, CONTENT)
    address = disk.url("media", "a.bin")
    for _ in range(2):
        for name in ("crc32c", "sha-256"):
            answer = disk.http.head(address, headers={"Want-Digest": name})
            assert answer.headers["digest"].startswith(f"{name}=")
    assert seen == [1, 1]


def test_a_checksum_that_cannot_be_worked_out_is_an_error_as_any_other(
    tenant: Sandbox, disk: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> str:
        raise OSError(errno.EIO, "Input/output error")

    put_behind_its_back(tenant, disk, CONTENT)
    monkeypatch.setattr(checksums, "_of_file", broken)
    answer = disk.http.get(disk.url("media", "a.bin"), headers=WANTED)
    assert (answer.status_code, answer.json()["status"]) == (500, "error")
