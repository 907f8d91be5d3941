"""What a tenant was about when it died is brought to an end by the next one on its root."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agavepy.sandbox import Sandbox
from agavepy.sandbox.disk import Disk
from agavepy.sandbox.file_changes import FileChanges

from .conftest import Http

USERS = {"nryan": "a password", "maria": "b password"}
MEDIA, PEMS = (f"/files/v2/{kind}/system/sandbox-storage/nryan" for kind in ("media", "pems"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.fixture
def tenant(root: Path) -> Iterator[Sandbox]:
    with Sandbox(root, users=USERS) as running:
        yield running


@pytest.fixture
def http(tenant: Sandbox) -> Iterator[Http]:
    """A session of nryan, who has shared the file ``old``."""
    with Http(tenant) as session:
        upload(session, "old", b"old bytes")
        share(session, "old")
        yield session


def upload(http: Http, name: str, data: bytes, folder: str = "") -> None:
    assert http.post(f"{MEDIA}{folder}", files={"fileToUpload": (name, data)}).status_code == 202


def share(http: Http, name: str) -> None:
    asked = {"username": "maria", "permission": "READ"}
    assert http.post(f"{PEMS}/{name}", json=asked).status_code == 201


def manage(http: Http, name: str, **action: str) -> int:
    return http.put(f"{MEDIA}/{name}", json=action).status_code


def restarted(tenant: Sandbox, http: Http) -> None:
    tenant.stop()
    tenant.start()
    http.base_url = tenant.url


def readers(http: Http, name: str) -> list[str]:
    return [each["username"] for each in http.get(f"{PEMS}/{name}").json()["result"]]


def statuses(http: Http, name: str) -> list[str]:
    answer = http.get(f"/files/v2/history/system/sandbox-storage/nryan/{name}")
    return [each["status"] for each in answer.json()["result"]]


@pytest.fixture
def dies_before_it_has_noted(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have changes reach the disk and not the records, as when the tenant is killed between the two."""
    settle = FileChanges._settle
    monkeypatch.setattr(FileChanges, "_settle", lambda self, intent: None)
    return lambda: monkeypatch.setattr(FileChanges, "_settle", settle)


def test_a_file_that_was_just_being_renamed_keeps_its_permissions(
    tenant: Sandbox, http: Http, dies_before_it_has_noted: Any
) -> None:
    manage(http, "old", action="rename", path="new")
    dies_before_it_has_noted()
    restarted(tenant, http)
    assert http.get(f"{MEDIA}/new").content == b"old bytes"
    assert readers(http, "new") == ["nryan", "maria"]
    assert statuses(http, "new")[-1] == "RENAME"


def test_a_folder_that_was_being_moved_over_another_is_there(
    tenant: Sandbox, http: Http, dies_before_it_has_noted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("one", "two"):
        manage(http, "", action="mkdir", path=folder)
        upload(http, "x", folder.encode(), f"/{folder}")
    share(http, "one/x")
    with monkeypatch.context() as patch:
        patch.setattr("agavepy.sandbox.file_changes._rename", lambda *places: None)  # nor has it got so far
        manage(http, "one", action="move", path="nryan/two")
    dies_before_it_has_noted()
    restarted(tenant, http)
    assert http.get(f"{MEDIA}/two/x").content == b"one"
    assert http.get(f"{MEDIA}/one/x").status_code == 404
    assert readers(http, "two/x") == ["nryan", "maria"]


def test_a_file_that_was_being_deleted_leaves_no_permissions_to_the_next_of_its_name(
    tenant: Sandbox, http: Http, dies_before_it_has_noted: Any
) -> None:
    assert http.delete(f"{MEDIA}/old").status_code == 200
    dies_before_it_has_noted()
    restarted(tenant, http)
    upload(http, "old", b"new bytes")
    assert readers(http, "old") == ["nryan"]


def test_a_rename_that_had_not_begun_on_disk_has_not_happened(
    tenant: Sandbox, http: Http, dies_before_it_has_noted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("agavepy.sandbox.file_changes._rename", lambda *places: None)
        manage(http, "old", action="rename", path="new")
    dies_before_it_has_noted()
    restarted(tenant, http)
    assert readers(http, "old") == ["nryan", "maria"]
    assert http.get(f"{MEDIA}/new").status_code == 404


def test_a_change_that_is_refused_leaves_nothing_to_finish(
    tenant: Sandbox, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(disk: Disk, place: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Disk, "remove", full)
    assert http.delete(f"{MEDIA}/old").status_code == 507
    assert list(tenant.state.store.all("file-change")) == []
