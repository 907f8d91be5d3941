"""Uploads arrive whole or not at all, straight to disk."""

from __future__ import annotations

import os
import socket
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from agavepy.sandbox import Sandbox

from .conftest import TIMEOUT_S, Http

HOME = "sandbox-storage//home/sandbox"


def incoming(tenant: Sandbox) -> list[Path]:
    return list(tenant.state.disk.incoming.iterdir())


def upload(http: Http, name: str, content: Any, **fields: str) -> requests.Response:
    answer = http.post(f"/files/v2/media/system/{HOME}", files={"fileToUpload": (name, content)}, data=fields)
    assert answer.status_code == 202, answer.text
    return answer


def content_of(http: Http, name: str) -> bytes:
    return http.get(f"/files/v2/media/system/{HOME}/{name}").content


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, (1 << 20) + 1, 5_000_001])
def test_an_upload_arrives_byte_by_byte(tenant: Sandbox, http: Http, size: int) -> None:
    content = os.urandom(size)
    upload(http, "random.bin", content)
    tenant.run_until_idle()
    assert content_of(http, "random.bin") == content
    assert incoming(tenant) == []


def test_a_file_that_looks_like_its_boundary_arrives(tenant: Sandbox, http: Http) -> None:
    content = b"\r\n--x\r\n--" * 100_000
    body = (
        b'--xy\r\nContent-Disposition: form-data; name="fileToUpload"; filename="b"\r\n\r\n'
        + content
        + b"\r\n--xy--\r\n"
    )
    answer = http.post(
        f"/files/v2/media/system/{HOME}", data=body, headers={"Content-Type": "multipart/form-data; boundary=xy"}
    )
    assert answer.status_code == 202
    tenant.run_until_idle()
    assert content_of(http, "b") == content


@pytest.mark.parametrize("name", ["a b.txt", "é.txt", 'quo"te', "100%25", "a;b=c", "#?+&"])
def test_a_file_keeps_its_name(tenant: Sandbox, http: Http, name: str) -> None:
    upload(http, name, b"x")
    tenant.run_until_idle()
    listing = http.get(f"/files/v2/listings/system/{HOME}").json()["result"]
    assert name in [each["name"] for each in listing]


def test_a_file_name_with_folders_names_its_last_step(tenant: Sandbox, http: Http) -> None:
    assert upload(http, "../../up.txt", b"x").json()["result"]["name"] == "up.txt"


def test_memory_stays_flat(tenant: Sandbox, http: Http) -> None:
    size = 64 << 20

    def pieces() -> Iterator[bytes]:
        yield b'--xy\r\nContent-Disposition: form-data; name="fileToUpload"; filename="big"\r\n\r\n'
        yield from [bytes(1 << 16)] * (size >> 16)
        yield b"\r\n--xy--\r\n"

    tracemalloc.start()
    headers = {"Content-Type": "multipart/form-data; boundary=xy"}
    answer = http.post(f"/files/v2/media/system/{HOME}", data=pieces(), headers=headers)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert answer.status_code == 202
    assert peak < 16 << 20
    tenant.run_until_idle()
    assert http.head(f"/files/v2/media/system/{HOME}/big").headers["content-length"] == str(size)


@pytest.mark.parametrize("ending", ["closed", "early"])
def test_an_interrupted_upload_leaves_nothing_behind(tmp_path: Path, ending: str) -> None:
    with Sandbox(tmp_path) as tenant, Http(tenant) as http:
        part = b'--xy\r\nContent-Disposition: form-data; name="fileToUpload"; filename="half"\r\n\r\n' + bytes(3 << 20)
        length = len(part) + (1000 if ending == "closed" else 0)
        head = (
            f"POST /files/v2/media/system/{HOME} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n"
            f"Authorization: {http.headers['Authorization']}\r\nContent-Type: multipart/form-data; boundary=xy\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", int(tenant.url.rpartition(":")[2]))) as connection:
            connection.sendall(head.encode() + part)
            if ending == "early":
                assert connection.recv(100).startswith(b"HTTP/1.1 400")
        names = [each["name"] for each in http.get(f"/files/v2/listings/system/{HOME}").json()["result"]]
        assert "half" not in names
    assert list((tmp_path / "incoming").iterdir()) == []


def test_what_a_crash_left_is_cleared_at_the_next_start(tmp_path: Path) -> None:
    with Sandbox(tmp_path):
        pass
    (tmp_path / "incoming" / "left-over").write_bytes(b"x")
    with Sandbox(tmp_path):
        assert list((tmp_path / "incoming").iterdir()) == []


@pytest.mark.parametrize(
    "body",
    [b"", b"no boundary at all", b"--xy\r\nnot a header\r\n\r\nx\r\n--xy--\r\n", b"--xy\r\nA: b\r\n\r\nends"],
    ids=range(4),
)
def test_a_form_that_does_not_parse_is_refused(tenant: Sandbox, http: Http, body: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=xy"}
    answer = http.post(f"/files/v2/media/system/{HOME}", data=body, headers=headers)
    assert answer.status_code in (400, 500)  # an empty body is no form at all: files then asks for a URL
    assert answer.json()["status"] == "error"
    assert "Traceback" not in answer.text
    assert incoming(tenant) == []


def test_texts_of_a_form_are_bounded(tenant: Sandbox, http: Http) -> None:
    files = {"fileToUpload": ("a", b"x"), "fileName": (None, b"x" * (11 << 20))}
    answer = http.post(f"/files/v2/media/system/{HOME}", files=files)
    assert answer.status_code == 413
    assert incoming(tenant) == []


@pytest.mark.parametrize(
    "text",
    [
        *("1e999", "-1e999", "NaN", "[Infinity]", "1" * 400, "1" * 5000),
        *("[" * 101 + "]" * 101, '{"a":' * 200 + "1" + "}" * 200, "[" * 100_000),
    ],
    ids=lambda text: text[:9],
)
def test_json_that_cannot_be_kept_is_refused(http: Http, text: str) -> None:
    body = f'{{"name": "x", "defaultMemoryPerNode": {text}}}'
    answer = http.post("/apps/v2", data=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["message"]) == (400, "Invalid JSON found.")


@pytest.mark.parametrize("path", ["/token", "/revoke", "/authorize"])
def test_who_is_not_known_yet_puts_nothing_on_the_disk(
    tenant: Sandbox, http: Http, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    made: list[Path] = []
    new_incoming = tenant.state.disk.new_incoming
    monkeypatch.setattr(tenant.state.disk, "new_incoming", lambda: made.append(new_incoming()) or made[-1])
    answer = requests.post(f"{tenant.url}{path}", files={"file": ("big", b"x" * 1000)}, timeout=TIMEOUT_S)
    assert answer.status_code in (400, 401)
    for body in ({"data": {"grant_type": "x" * 70_000}}, {"files": {"file": ("big", b"x" * 70_000)}}):
        assert requests.post(f"{tenant.url}{path}", **body, timeout=TIMEOUT_S).status_code == 413  # type: ignore[arg-type]
    assert made == []
