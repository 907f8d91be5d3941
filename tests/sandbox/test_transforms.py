"""Transforms: conversions that run on files of the tenant, with the rights of who asks."""

from __future__ import annotations

import gzip
import itertools
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from agavepy.sandbox import Sandbox, conversions

from .conftest import Http
from .receivers import Hook
from .schema import checked, refusal

ANYWHERE = {"url": "agave:///"}
_numbers = itertools.count(1)


class Converter:
    """Files and conversions of the user of ``http``."""

    def __init__(self, tenant: Sandbox, http: Http) -> None:
        self.tenant, self.http = tenant, http
        self.home = f"files/v2/media/system/sandbox-storage/{http.user}"

    def put(self, data: bytes, name: str = "") -> str:
        """Write a file into the user's home; return its name."""
        name = name or f"file{next(_numbers)}"
        answer = self.http.post(f"/{self.home}", files={"fileToUpload": (name, data)})
        assert answer.status_code == 202, answer.text
        return name

    def sync(self, transform: str, name: str, **body: Any) -> Any:
        return self.http.post(f"/transforms/v2/{transform}/sync/{self.http.user}/{name}", json={**ANYWHERE, **body})

    def start(self, transform: str, name: str, url: str, **body: Any) -> Any:
        address = f"/transforms/v2/{transform}/async/{self.http.user}/{name}"
        return self.http.post(address, json={"url": url, **body})

    def get(self, name: str) -> bytes:
        answer = self.http.get(f"/{self.home}/{name}")
        assert answer.status_code == 200, answer.text
        return answer.content

    def history(self, name: str) -> list[str]:
        address = f"/files/v2/history/system/sandbox-storage/{self.http.user}/{name}"
        return [each["status"] for each in checked(self.http.get(address), "files.getHistory")]


@pytest.fixture
def files(tenant: Sandbox, http: Http) -> Converter:
    return Converter(tenant, http)


# What there is


def test_the_transforms_are_listed_with_what_undoes_them(http: Http) -> None:
    found = checked(http.get("/transforms/v2/"), "transforms.list")
    assert [each["name"] for each in found] == ["gzip", "gunzip", "csv-json", "utf8"]
    assert [each["name"] for each in found[0]["decoders"]] == ["gunzip"]


def test_a_transform_is_found_by_name_and_by_tag(http: Http) -> None:
    [found] = checked(http.get("/transforms/v2/utf8"), "transforms.get")
    assert found["enabled"] is True
    tagged = checked(http.get("/transforms/v2/tags/compression"), "transforms.listByTag")
    assert [each["name"] for each in tagged] == ["gzip", "gunzip"]
    assert checked(http.get("/transforms/v2/tags/none"), "transforms.listByTag") == []
    assert "gzip, gunzip" in refusal(http.get("/transforms/v2/zip"), status=404)


# Downloads


def test_a_compressed_file_comes_back_whole(files: Converter) -> None:
    data = bytes(range(256)) * 2000
    packed = files.sync("gzip", files.put(data, "data.bin"))
    assert packed.status_code == 200
    assert gzip.decompress(packed.content) == data
    assert 'filename="data.bin.gz"' in packed.headers["content-disposition"]
    unpacked = files.sync("gunzip", files.put(packed.content, "data.bin.gz"))
    assert unpacked.content == data
    assert 'filename="data.bin"' in unpacked.headers["content-disposition"]


def test_a_table_becomes_objects_under_the_names_of_its_first_line(files: Converter) -> None:
    table = 'name,town\n"Ann ""A""","Köln, Nord"\nBob\n\n'
    answer = files.sync("csv-json", files.put(table.encode("utf-8-sig")))
    assert answer.json() == [{"name": 'Ann "A"', "town": "Köln, Nord"}, {"name": "Bob", "town": None}]
    assert files.sync("csv-json", files.put(b"a\tb\n1\t2\n"), nativeFormat="tsv").json() == [{"a": "1", "b": "2"}]
    assert files.sync("csv-json", files.put(b"")).json() == []


@pytest.mark.parametrize(
    ("encoding", "told"),
    [("latin-1", "latin-1"), ("cp1252", "CP1252"), ("utf-16", None), ("utf-32", None), ("utf-8-sig", None)],
)
def test_a_text_is_written_in_utf_8(files: Converter, encoding: str, told: str | None) -> None:
    text = "Straße à l’école\n" if encoding != "latin-1" else "Straße\n"
    answer = files.sync("utf8", files.put((text * 5000).encode(encoding)), nativeFormat=told)
    assert answer.content == (text * 5000).encode("utf-8")


@pytest.mark.parametrize(
    ("transform", "data"),
    [
        *(("gunzip", b"no gzip"), ("gunzip", gzip.compress(b"x" * 1000, mtime=0)[:-9]), ("gunzip", b"")),
        *(("csv-json", b"a,a\n1,2\n"), ("csv-json", b"a\n1,2\n"), ("csv-json", b'a\n"open'), ("csv-json", b"\xff\n")),
        *(("csv-json", b"a\n" + b"x" * 200_000), ("csv-json", b"a," * 600_000), ("csv-json", b'"a\n",' * 300_000)),
        ("utf8", b"\xff\xfex"),
    ],
)
def test_a_file_that_is_something_else_is_refused(files: Converter, transform: str, data: bytes) -> None:
    answer = files.sync(transform, files.put(data))
    if (transform, data) == ("gunzip", b""):
        assert answer.content == b""  # as the program of that name does
    else:
        refusal(answer, status=400)
    assert list(files.tenant.state.disk.incoming.iterdir()) == []


def test_a_few_bytes_cannot_fill_the_disk(files: Converter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversions, "MOST_BYTES", 1 << 20)
    bomb = files.put(gzip.compress(bytes(2 << 20), mtime=0))
    assert "The output would have more than 1048576 bytes" in refusal(files.sync("gunzip", bomb), status=400)
    assert list(files.tenant.state.disk.incoming.iterdir()) == []


def test_a_file_that_is_too_large_is_refused(files: Converter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversions, "MOST_BYTES", 1000)
    assert "more than 1000 bytes" in refusal(files.sync("gzip", files.put(bytes(1001))), status=400)


def test_a_long_table_is_read_row_by_row(files: Converter) -> None:
    answer = files.sync("csv-json", files.put(b"a,b\n" + b"1234567,7654321\n" * 200_000))
    assert len(answer.json()) == 200_000


def test_the_output_of_a_download_is_kept_nowhere(files: Converter) -> None:
    name = files.put(b"x")
    before = {path for path in files.tenant.root.rglob("*") if path.is_file()}
    assert files.sync("gzip", name).ok
    assert {path for path in files.tenant.root.rglob("*") if path.is_file()} == before


def test_a_format_that_the_transform_does_not_read_is_refused(files: Converter) -> None:
    answer = files.sync("csv-json", files.put(b"a"), nativeFormat="xlsx")
    assert "raw, csv, tsv" in refusal(answer, status=400)


def test_folders_and_missing_files_are_refused(files: Converter) -> None:
    refusal(files.sync("gzip", ""), status=501)
    refusal(files.sync("gzip", "none"), status=404)
    refusal(files.sync("gzip", "%2e%2e%2f%2e%2e%2f%2e%2e%2fetc/passwd"), status=404)


# In the background


def test_a_stored_output_has_a_history(files: Converter) -> None:
    name = files.put(b"a,b\n1,2\n", "table.csv")
    started = files.start("csv-json", name, f"agave://sandbox-storage/{files.http.user}")
    assert [each["name"] for each in checked(started, "transforms.transformAndStage", status=202)] == ["csv-json"]
    files.tenant.run_until_idle()
    assert json.loads(files.get("table.csv.json")) == [{"a": "1", "b": "2"}]
    words = ["TRANSFORMING_QUEUED", "TRANSFORMING", "CREATED", "TRANSFORMING_COMPLETED"]
    assert files.history("table.csv.json") == words


def test_the_output_may_be_named_by_a_url_of_the_tenant_that_is_no_file_yet(files: Converter) -> None:
    name, url = files.put(b"new"), f"{files.http.base_url}/{files.home}/other.gz"
    checked(files.start("gzip", name, url), "transforms.transformAndStage", status=202)
    files.tenant.run_until_idle()
    assert gzip.decompress(files.get("other.gz")) == b"new"
    assert "must be a directory" in refusal(files.start("gzip", name, url), status=400)


def test_a_failed_conversion_says_why_and_leaves_the_old_file(files: Converter) -> None:
    files.put(b"old", "kept")
    name = files.put(b"no gzip", "kept.gz")
    files.start("gunzip", name, f"agave://sandbox-storage/{files.http.user}")
    files.tenant.run_until_idle()
    assert files.get("kept") == b"old"
    assert files.history("kept")[-1] == "TRANSFORMING_FAILED"


def test_the_callback_url_is_told_how_a_conversion_ended(files: Converter, hook: Hook) -> None:
    for name in (files.put(gzip.compress(b"x"), "good.gz"), files.put(b"no gzip", "bad.gz")):
        address = f"{hook.url}/{name}?e=${{EVENT}}"
        started = files.start("gunzip", name, f"agave://sandbox-storage/{files.http.user}", callbackUrl=address)
        checked(started, "transforms.transformAndStage", status=202)
    files.tenant.run_until_idle()
    told = sorted(each.target for each in hook.received)
    assert told == ["/bad.gz?e=TRANSFORMING_FAILED", "/good.gz?e=TRANSFORMING_COMPLETED"]


@pytest.mark.parametrize("url", ["agave://sandbox-storage/hook", ["x"], "no address"])
def test_a_callback_url_that_cannot_be_told_is_refused(files: Converter, url: Any) -> None:
    started = files.start("gzip", files.put(b"x"), f"agave://sandbox-storage/{files.http.user}", callbackUrl=url)
    refusal(started, status=400)


@pytest.mark.parametrize("url", ["http://example.org/x", "ftp://x/y", "", "agave://none/x", None])
def test_an_output_that_cannot_go_there_is_refused(files: Converter, url: Any) -> None:
    assert files.start("gzip", files.put(b"x"), url).status_code in (400, 404)


# Rights


def test_others_files_are_converted_by_those_who_may_read_them(files: Converter, other: Http) -> None:
    name = files.put(b"secret")
    address = f"/transforms/v2/gzip/sync/{files.http.user}/{name}"
    assert other.post(address, json=ANYWHERE).status_code in (403, 404)
    grant = {"username": other.user, "permission": "READ"}
    files.http.post(f"/files/v2/pems/system/sandbox-storage/{files.http.user}/{name}", json=grant)
    assert gzip.decompress(other.post(address, json=ANYWHERE).content) == b"secret"


def test_no_output_goes_where_the_user_may_not_write(files: Converter, other: Http) -> None:
    answer = files.start("gzip", files.put(b"x"), f"agave://sandbox-storage/{other.user}/x.gz")
    assert answer.status_code in (403, 404)


def test_on_a_private_default_system_the_owner_is_the_systems(files: Converter, admin: Http) -> None:
    described = {
        "id": "private.example.org",
        "name": "private",
        "type": "STORAGE",
        "storage": {"host": "localhost", "protocol": "LOCAL"},
    }
    admin.post("/systems/v2/", json=described)
    admin.put("/systems/v2/private.example.org", json={"action": "setDefault"})
    admin.post("/files/v2/media/system/private.example.org/", files={"fileToUpload": ("own", b"mine")})
    packed = admin.post("/transforms/v2/gzip/sync/admin/own", json=ANYWHERE)
    assert gzip.decompress(packed.content) == b"mine"
    refusal(admin.post(f"/transforms/v2/gzip/sync/{files.http.user}/own", json=ANYWHERE), status=404)
    admin.put("/systems/v2/private.example.org", json={"action": "unsetDefault"})


def test_a_right_that_ends_while_a_conversion_waits_ends_it(files: Converter, other: Http) -> None:
    secret = files.put(b"secret")
    pems = f"/files/v2/pems/system/sandbox-storage/{files.http.user}/{secret}"
    other.get(f"/files/v2/listings/system/sandbox-storage/{other.user}")
    files.http.post(pems, json={"username": other.user, "permission": "READ"})
    service = files.tenant.state.services["files"]
    held = threading.Event()
    for _ in range(2):  # as many as work at a time
        service._transfers._submit(lambda: held.wait(30))  # type: ignore[attr-defined]
    address = f"/transforms/v2/gzip/async/{files.http.user}/{secret}"
    answer = other.post(address, json={"url": f"agave://sandbox-storage/{other.user}"})
    checked(answer, "transforms.transformAndStage", status=202)
    files.http.post(pems, json={"username": other.user, "permission": "NONE"})
    held.set()
    files.tenant.run_until_idle()
    history = other.get(f"/files/v2/history/system/sandbox-storage/{other.user}/{secret}.gz")
    assert [each["status"] for each in checked(history, "files.getHistory")] == [
        *("TRANSFORMING_QUEUED", "TRANSFORMING", "TRANSFORMING_FAILED"),
    ]
    assert other.get(f"/files/v2/media/system/sandbox-storage/{other.user}/{secret}.gz").status_code == 404


def test_a_conversion_that_the_end_of_the_tenant_cut_off_has_failed(tmp_path: Path) -> None:
    held = threading.Event()
    with Sandbox(root=tmp_path) as first, Http(first) as http:
        files = Converter(first, http)
        name = files.put(b"x", "late")
        transfers = first.state.services["files"]._transfers  # type: ignore[attr-defined]
        for _ in range(2):  # as many as work at a time
            transfers._submit(lambda: held.wait(30))
        files.start("gzip", name, f"agave://sandbox-storage/{http.user}")
        transfers._pool.shutdown(wait=False, cancel_futures=True)
        held.set()
    with Sandbox(root=tmp_path) as second, Http(second) as http:
        assert Converter(second, http).history("late.gz") == ["TRANSFORMING_QUEUED", "TRANSFORMING_FAILED"]
