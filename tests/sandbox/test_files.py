"""Files over HTTP: listings, transfers, actions, permissions, histories, and names of every kind."""

from __future__ import annotations

import http.server
import itertools
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agavepy.sandbox import ManualClock, Sandbox

from .compute import Compute
from .conftest import Http
from .schema import checked, refusal
from .test_systems import storage

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def clock() -> ManualClock:
    return ManualClock()


class Storage:
    """One system, as one user: paths instead of addresses."""

    def __init__(self, http: Http, system_id: str) -> None:
        self.http = http
        self.id = system_id

    def url(self, kind: str, path: str) -> str:
        # Dots are encoded, since HTTP clients resolve ".." before they send it.
        return f"/files/v2/{kind}/system/{self.id}/{quote(path).replace('..', '%2E%2E')}"

    def list(self, path: str = "", *, status: int = 200, **query: Any) -> Any:
        answer = self.http.get(self.url("listings", path), params=query)
        return checked(answer, "files.list") if status == 200 else refusal(answer, status=status)

    def names(self, path: str = "", **query: Any) -> Any:
        return [each["name"] for each in self.list(path, **query)]

    def put(self, path: str, data: bytes = b"data", *, name: str = "", status: int = 202) -> Any:
        """Upload to a path that is to become the file, or into a folder under ``name``."""
        files = {"fileToUpload": (name or "local.txt", data)}
        answer = self.http.post(self.url("media", path), files=files)
        return checked(answer, "files.importData", status=202) if status == 202 else refusal(answer, status=status)

    def get(self, path: str, *, status: int = 200, **headers: str) -> Any:
        answer = self.http.get(self.url("media", path), headers=headers)
        return answer.content if answer.ok and answer.status_code == status else refusal(answer, status=status)

    def act(self, path: str, action: str, to: str | None, *, status: int = 200, **more: Any) -> Any:
        body = {"action": action, **({"path": to} if to is not None else {}), **more}
        answer = self.http.put(self.url("media", path), json=body)
        return checked(answer, "files.manage", status=status) if status < 400 else refusal(answer, status=status)

    def delete(self, path: str, *, status: int = 200) -> Any:
        answer = self.http.delete(self.url("media", path))
        return checked(answer, "files.delete") if status == 200 else refusal(answer, status=status)

    def ingest(self, path: str, uri: str, *, status: int = 202, **more: str) -> Any:
        answer = self.http.post(self.url("media", path), data={"urlToIngest": uri, **more})
        return checked(answer, "files.importData", status=202) if status == 202 else refusal(answer, status=status)

    def history(self, path: str, *, status: int = 200) -> Any:
        answer = self.http.get(self.url("history", path))
        if status != 200:
            return refusal(answer, status=status)
        return [event["status"] for event in checked(answer, "files.getHistory")]

    def pems(self, path: str) -> dict[str, str]:
        found = checked(self.http.get(self.url("pems", path)), "files.listPermissions")
        return {each["username"]: "".join(k[0] for k, v in each["permission"].items() if v) for each in found}

    def share(self, path: str, username: str, permission: str, *, status: int = 201, **more: Any) -> Any:
        body = {"username": username, "permission": permission, **more}
        answer = self.http.post(self.url("pems", path), json=body)
        return checked(answer, "files.updatePermissions", status=status) if status < 400 else answer.status_code


@pytest.fixture
def disk(http: Http) -> Storage:
    return private_storage(http)


def private_storage(http: Http) -> Storage:
    """Return a private system of the user, empty."""
    described = storage()
    checked(http.post("/systems/v2/", json=described), "systems.add", status=201)
    return Storage(http, described["id"])


@pytest.fixture
def bob(tenant: Sandbox, http: Http) -> Http:
    if not tenant.state.accounts.exists("bob"):
        return http.as_user(tenant, "bob")
    return Http(tenant, user="bob", password="bob-password")


def real(tenant: Sandbox, disk: Storage, path: str) -> Path:
    """Return the place on disk of a path below homeDir."""
    return tenant.state.disk.systems / disk.id / "home/ann" / path


# Listings


def test_a_folder_lists_itself_first_and_then_its_names_in_order(disk: Storage) -> None:
    disk.act("", "mkdir", "b", status=201)
    disk.put("é.txt", b"12345")
    disk.put("a.json")
    here, *rest = disk.list()
    assert (here["name"], here["path"], here["type"], here["format"]) == (".", "/home/ann", "dir", "folder")
    assert (here["mimeType"], here["permissions"], here["system"]) == ("text/directory", "ALL", disk.id)
    assert set(here["_links"]) == {"self", "system", "metadata", "history"}
    assert [each["name"] for each in rest] == ["a.json", "b", "é.txt"]
    file = rest[2]
    assert (file["path"], file["length"], file["mimeType"]) == ("/home/ann/é.txt", 5, "text/plain")
    assert file["_links"]["self"]["href"].endswith(f"/files/v2/media/system/{disk.id}//home/ann/%C3%A9.txt")
    assert disk.http.get(file["_links"]["self"]["href"]).content == b"12345"


def test_a_file_lists_itself_alone(disk: Storage) -> None:
    disk.put("a.txt")
    assert disk.names("a.txt") == ["a.txt"]
    assert disk.names("a.txt", offset=1) == []


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"limit": 1}, ["."]),
        ({"limit": 2}, [".", "0"]),
        ({"offset": 1}, ["0", "1", "2"]),
        ({"offset": 2, "limit": 1}, ["1"]),
        ({"offset": 9}, []),
        ({"limit": -2}, [".", "0"]),
        ({"limit": 10000}, [".", "0", "1", "2"]),
    ],
)
def test_the_folder_itself_counts_in_the_page(disk: Storage, query: dict[str, int], names: list[str]) -> None:
    for name in ("2", "0", "1"):
        disk.put(name)
    assert disk.names(**query) == names


def test_a_page_has_100_elements_and_at_most_250(disk: Storage, tenant: Sandbox) -> None:
    disk.list()
    for number in range(300):
        real(tenant, disk, f"{number:03d}").touch()
    assert len(disk.list()) == 100
    assert len(disk.list(limit=1000)) == 250
    assert disk.names(offset=250, limit=250) == [f"{number:03d}" for number in range(249, 300)]


def test_a_listing_projects_with_filter(disk: Storage) -> None:
    assert disk.list(filter="name,type") == [{"name": ".", "type": "dir"}]


@pytest.mark.parametrize("path", ["nothing", "a.txt/b", "../../../etc", "/../x"])
def test_what_is_not_there_is_not_found(disk: Storage, path: str) -> None:
    disk.put("a.txt")
    disk.list(path, status=404)
    disk.get(path, status=404)


def test_the_default_system_is_the_users(http: Http) -> None:
    assert checked(http.get("/files/v2/listings/"), "files.listOnDefaultSystem")[0]["system"] == "sandbox-storage"
    assert checked(http.get("/files/v2/listings"), "files.listOnDefaultSystem")[0]["path"] == "/home"
    described = storage()
    http.post("/systems/v2/", json=described)
    http.put(f"/systems/v2/{described['id']}", data={"action": "setDefault"})
    found = checked(http.get("/files/v2/listings/"), "files.listOnDefaultSystem")
    http.put(f"/systems/v2/{described['id']}", data={"action": "unsetDefault"})
    assert found[0]["system"] == described["id"]


def test_an_unknown_system_and_a_system_that_is_down_say_so(http: Http) -> None:
    assert "no-such" in refusal(http.get("/files/v2/listings/system/no-such/"), status=404)
    described = storage(status="DOWN")
    http.post("/systems/v2/", json=described)
    message = refusal(http.get(f"/files/v2/listings/system/{described['id']}/"), status=400)
    assert message == f"System {described['id']} is DOWN"


# Uploads and downloads


def test_an_upload_answers_a_logical_file_and_is_there(disk: Storage) -> None:
    disk.act("", "mkdir", "in", status=201)
    file = disk.put("in", b"hello", name="hello.txt")
    assert (file["name"], file["path"], file["status"]) == ("hello.txt", "/home/ann/in/hello.txt", "STAGING_COMPLETED")
    assert file["uuid"].endswith("-002")
    assert (file["owner"], file["systemId"]) == (disk.http.user, disk.id)
    assert disk.get("in/hello.txt") == b"hello"
    assert disk.history("in/hello.txt") == ["CREATED", "STAGING_COMPLETED"]
    assert disk.put("in", b"again", name="hello.txt")["uuid"] == file["uuid"]
    assert disk.history("in/hello.txt")[2:] == ["OVERWRITTEN", "STAGING_COMPLETED"]
    assert disk.get("in/hello.txt") == b"again"


def test_the_name_is_fileName_then_the_uploads(disk: Storage) -> None:
    answer = disk.http.post(disk.url("media", ""), files={"fileToUpload": ("a.txt", b"x")}, data={"fileName": "b.txt"})
    assert checked(answer, "files.importData", status=202)["name"] == "b.txt"
    assert disk.put("new.txt", name="local.txt")["path"] == "/home/ann/new.txt"


@pytest.mark.parametrize(
    ("path", "status"), [("nothing/here", 404), ("nothing/", 404), ("a.txt", 400), ("a.txt/b", 404), ("../../..", 404)]
)
def test_an_upload_goes_into_a_folder_that_is_there(disk: Storage, path: str, status: int) -> None:
    disk.put("a.txt", b"old")
    disk.put(path, status=status)
    assert disk.get("a.txt") == b"old"


@pytest.mark.parametrize("name", ["a/b", "..", ".", "x" * 256])
def test_a_file_name_that_is_none_is_refused(disk: Storage, name: str) -> None:
    answer = disk.http.post(disk.url("media", ""), files={"fileToUpload": ("a", b"x")}, data={"fileName": name})
    refusal(answer, status=400)
    assert disk.names() == ["."]


def test_nothing_to_upload_is_refused(disk: Storage) -> None:
    assert "urlToIngest" in refusal(disk.http.post(disk.url("media", ""), data={"fileName": "x"}), status=400)


def test_a_callback_that_cannot_be_called_is_refused_before_anything_is_stored(disk: Storage) -> None:
    form = {"callbackURL": "agave://sandbox-storage/hook"}
    refusal(disk.http.post(disk.url("media", ""), files={"fileToUpload": ("a", b"x")}, data=form), status=400)
    assert disk.names() == ["."]


def test_files_are_their_owners_alone_on_disk(disk: Storage, tenant: Sandbox) -> None:
    disk.act("", "mkdir", "in", status=201)
    disk.put("in/a.txt")
    assert real(tenant, disk, "in").stat().st_mode & 0o777 == 0o700
    assert real(tenant, disk, "in/a.txt").stat().st_mode & 0o777 == 0o600
    assert not list(tenant.state.disk.incoming.iterdir())


def test_a_download_tells_its_type_and_answers_ranges(disk: Storage) -> None:
    disk.put("a.txt", b"0123456789")
    answer = disk.http.get(disk.url("media", "a.txt"))
    assert answer.headers["content-type"].startswith("text/plain")
    assert disk.get("a.txt", Range="bytes=2-4", status=206) == b"234"
    assert disk.http.head(disk.url("media", "a.txt")).headers["content-length"] == "10"


def test_a_folder_is_not_downloaded(disk: Storage) -> None:
    assert disk.get("", status=501) == "Directory downloads not supported"


def test_an_empty_file_goes_both_ways(disk: Storage) -> None:
    disk.put("empty", b"")
    assert disk.get("empty") == b""


def test_of_two_writers_one_whole_file_wins(disk: Storage) -> None:
    contents = [bytes([number]) * 200_000 for number in range(8)]
    threads = [threading.Thread(target=disk.put, args=("", data), kwargs={"name": "same"}) for data in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert disk.get("same") in contents


# Names


@pytest.mark.parametrize(
    "name", ["100%", "%41", "a#b", "a?b", "a;b", "a+b", "a b", " ", "a\nb", "a\\b", "-rf", "C:", "ü✓𝄞", "~", "..."]
)
def test_a_name_means_itself(disk: Storage, name: str) -> None:
    disk.act("", "mkdir", "names", status=201)
    disk.put(f"names/{name}", name.encode())
    assert disk.names("names") == [".", name]
    assert disk.get(f"names/{name}") == name.encode()
    disk.act(f"names/{name}", "rename", f"{name}2")
    disk.act(f"names/{name}2", "copy", f"names/{name}")
    disk.delete(f"names/{name}2")
    assert disk.names("names") == [".", name]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="/\0"), min_size=1, max_size=40).filter(
            lambda name: name not in (".", "..")
        ),
        min_size=1,
        max_size=3,
    )
)
def test_every_path_reaches_the_file_it_names_and_no_other(disk: Storage, tenant: Sandbox, names: list[str]) -> None:
    folder, path = "/".join(names[:-1]), "/".join(names)
    if folder:
        disk.http.put(disk.url("media", ""), json={"action": "mkdir", "path": folder})
    disk.put(path, path.encode())
    home = real(tenant, disk, "")
    assert [str(found.relative_to(home)) for found in home.rglob("*") if found.is_file()] == [path]
    assert disk.names(path) == [names[-1]]
    assert disk.get(path) == path.encode()
    disk.delete(path)
    if folder:
        disk.delete(names[0])
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("path", ["a" * 256, "ü" * 128, "a/" * 2500])
def test_a_name_too_long_for_the_file_system_is_refused(disk: Storage, path: str) -> None:
    disk.put(path, status=400)
    disk.act("", "mkdir", path, status=400)
    disk.get(path, status=400)


@pytest.mark.parametrize("path", ["a\0b", "\ud800"])
def test_a_name_no_file_can_have_is_refused(disk: Storage, path: str) -> None:
    disk.put("a")
    for action in ("mkdir", "rename", "move", "copy"):
        disk.act("a", action, path, status=400)


def test_a_name_that_is_no_text_is_listed_and_goes_with_its_folder(disk: Storage, tenant: Sandbox) -> None:
    disk.act("", "mkdir", "in", status=201)
    (real(tenant, disk, "in") / "caf\udce9").write_text("x")
    assert disk.names("in") == [".", "caf\udce9"]
    disk.act("in", "copy", "out")
    disk.delete("in")
    assert disk.names("out") == [".", "caf\udce9"]


def test_a_folder_of_many_files_lists_a_page_of_them(disk: Storage, tenant: Sandbox) -> None:
    disk.list()
    for number in range(20_000):
        (real(tenant, disk, "") / str(number)).touch()
    assert len(disk.list(limit=250, offset=10_000)) == 250


def test_histories_are_paged(disk: Storage) -> None:
    disk.put("a")
    answer = disk.http.get(disk.url("history", "a"), params={"limit": 1, "offset": 1})
    assert [each["status"] for each in checked(answer, "files.getHistory")] == ["STAGING_COMPLETED"]


# Actions


def test_mkdir_makes_what_is_missing_and_is_content_with_what_is_there(disk: Storage) -> None:
    made = disk.act("", "MKDIR", "a/b/c", status=201)
    assert (made["name"], made["path"], made["nativeFormat"]) == ("c", "/home/ann/a/b/c", "folder")
    answer = disk.http.put(disk.url("media", ""), data={"action": "mkdir", "path": "a/b/c"})
    assert (answer.status_code, answer.json()["message"]) == (200, "Directory /home/ann/a/b/c already exists")
    events = disk.http.get(disk.url("history", "a/b")).json()["result"]
    url = f"{disk.http.base_url}/files/v2/media/system/{disk.id}//home/ann/a/b"
    assert [each["description"] for each in events] == [f"New directory created at {url}"]


def test_mkdir_at_the_root_by_two_slashes(disk: Storage) -> None:
    made = disk.act("/", "mkdir", "top", status=201)
    assert made["path"] == "/top"
    assert {"uuid", "name", "owner"} <= made.keys()
    assert "top" in disk.names("/")


def test_mkdir_where_a_file_is_is_refused(disk: Storage) -> None:
    disk.put("a")
    disk.act("", "mkdir", "a", status=400)
    disk.act("", "mkdir", "a/b", status=400)


def test_rename_keeps_the_folder_and_carries_the_history(disk: Storage) -> None:
    disk.act("", "mkdir", "in", status=201)
    file = disk.put("in/a")
    renamed = disk.act("in/a", "rename", "b")
    assert (renamed["path"], renamed["uuid"]) == ("/home/ann/in/b", file["uuid"])
    assert disk.history("in/b") == ["CREATED", "STAGING_COMPLETED", "RENAME"]
    disk.history("in/a", status=404)
    disk.put("in/c")
    assert disk.act("in/b", "rename", "c", status=400) == "A File or folder at /home/ann/in/c already exists"
    for name in ("../x", "a/b", "..", "."):
        disk.act("in/b", "rename", name, status=400)


def test_move_is_relative_to_home_or_below_root(disk: Storage) -> None:
    disk.put("a", b"1")
    disk.act("", "mkdir", "in", status=201)
    moved = disk.http.put(disk.url("media", "a"), json={"action": "move", "path": "in/b"})
    assert moved.json()["message"] == "Move success"
    disk.act("in/b", "move", "/top")
    assert disk.get("/top") == b"1"
    assert disk.names("in") == ["."]
    disk.put("c", b"2")
    disk.act("/top", "move", "c")
    assert disk.get("c") == b"1"


def test_a_moved_folder_carries_histories_and_grants_of_all_in_it(disk: Storage, bob: Http) -> None:
    disk.act("", "mkdir", "a/b", status=201)
    disk.put("a/b/file", b"x")
    disk.share("a/b/file", "bob", "READ")
    disk.act("a", "move", "z")
    assert disk.history("z/b/file") == ["CREATED", "STAGING_COMPLETED", "PERMISSION_GRANT"]
    assert Storage(bob, disk.id).get("z/b/file") == b"x"
    disk.act("", "mkdir", "a/b", status=201)
    disk.put("a/b/file", b"new")
    assert disk.pems("a/b/file") == {disk.http.user: "rwe"}


def test_a_move_replaces_a_folder_and_a_copy_merges_with_it(disk: Storage) -> None:
    for folder, name in (("from", "a"), ("to", "b")):
        disk.act("", "mkdir", folder, status=201)
        disk.put(f"{folder}/{name}", name.encode())
    disk.act("from", "copy", "to")
    assert disk.names("to") == [".", "a", "b"]
    disk.act("from", "move", "to")
    assert disk.names("to") == [".", "a"]
    assert disk.names() == [".", "to"]


def test_copy_overwrites_a_file_and_appends_when_asked(disk: Storage) -> None:
    disk.put("a", b"1")
    disk.put("b", b"2")
    disk.act("a", "copy", "c")
    disk.act("a", "copy", "b")
    assert (disk.get("b"), disk.get("c")) == (b"1", b"1")
    disk.act("a", "copy", "b", append=True)
    assert disk.get("b") == b"11"
    assert disk.history("b")[-1] == "OVERWRITTEN"
    assert disk.history("c") == ["CREATED"]


@pytest.mark.parametrize("action", ["move", "copy"])
@pytest.mark.parametrize(
    ("source", "to", "status"),
    [
        ("file", "file", 400),
        ("file", "folder", 400),
        ("folder", "file", 400),
        ("folder", "folder/inner/x", 400),
        ("folder/inner", "folder", 400),
        ("file", "nothing/x", 404),
        ("nothing", "x", 404),
        ("file", "../../../x", 404),
        ("file", "", 400),
        ("file", None, 400),
    ],
)
def test_a_move_or_copy_that_cannot_be_is_refused(
    disk: Storage, action: str, source: str, to: str | None, status: int
) -> None:
    disk.put("file")
    disk.act("", "mkdir", "folder/inner", status=201)
    disk.act(source, action, to, status=status)
    assert disk.names() == [".", "file", "folder"]
    assert disk.names("folder") == [".", "inner"]


def test_an_action_that_is_none_is_refused(disk: Storage) -> None:
    assert refusal(disk.http.put(disk.url("media", ""), json={"path": "x"}), status=400).startswith("Please provide")
    assert disk.act("", "index", "x", status=501) == "Action index not supported"


# Deleting


def test_delete_takes_a_folder_with_all_in_it_and_its_grants(disk: Storage, bob: Http) -> None:
    disk.act("", "mkdir", "a/b", status=201)
    disk.share("a", "bob", "ALL", recursive=True)
    assert disk.delete("a") is None
    disk.list("a", status=404)
    assert disk.delete("a", status=404) == "Remote path /home/ann/a does not exist."
    assert disk.history("a")[-1] == "DELETED"
    disk.act("", "mkdir", "a", status=201)
    assert disk.pems("a") == {disk.http.user: "rwe"}


def test_what_went_without_the_tenants_doing_is_deleted_once(disk: Storage, tenant: Sandbox) -> None:
    disk.put("a")
    real(tenant, disk, "a").unlink()
    disk.delete("a")
    disk.delete("a", status=404)


def test_the_root_stays(disk: Storage) -> None:
    disk.delete("/", status=400)
    disk.act("/", "rename", "x", status=400)


def test_links_that_leave_the_system_lead_nowhere(disk: Storage, tenant: Sandbox, tmp_path: Path) -> None:
    disk.put("own", b"own")
    (tmp_path / "secret").write_text("secret")
    real(tenant, disk, "out").symlink_to(tmp_path)
    real(tenant, disk, "file").symlink_to(tmp_path / "secret")
    real(tenant, disk, "in").symlink_to("own")
    assert disk.names() == [".", "file", "in", "out", "own"]
    assert {each["name"]: each["length"] for each in disk.list()}["file"] == len(str(tmp_path / "secret"))
    for path in ("out", "out/secret", "file"):
        disk.get(path, status=404)
        disk.list(path, status=404)
    disk.put("out", status=404)
    disk.act("out/secret", "copy", "stolen", status=404)
    assert disk.get("in") == b"own"
    disk.delete("out")
    disk.delete("file")
    disk.delete("in")
    assert disk.names() == [".", "own"]
    assert (tmp_path / "secret").exists()


def test_a_link_to_another_users_home_gives_nothing(http: Http, bob: Http, tenant: Sandbox) -> None:
    mine, his = Storage(http, "sandbox-storage"), Storage(bob, "sandbox-storage")
    his.put("bob/private", b"bob's")
    mine.list("sandbox")
    (tenant.state.disk.systems / "sandbox-storage/home/sandbox/link").symlink_to("../bob/private")
    mine.get("sandbox/link", status=403)
    mine.act("sandbox/link", "copy", "sandbox/copy", status=403)
    mine.delete("sandbox/link")
    assert his.get("bob/private") == b"bob's"


# Who may do what


def test_on_a_public_system_everyone_has_a_home_and_nothing_else(http: Http, bob: Http) -> None:
    mine, his = Storage(http, "sandbox-storage"), Storage(bob, "sandbox-storage")
    mine.put(f"{http.user}/mine", b"1")
    assert his.names() == [".", "bob"]
    assert his.list()[0]["permissions"] == "READ"
    assert his.list("bob")[0]["permissions"] == "ALL"
    for path in (f"{http.user}/mine", f"{http.user}", "/", "/apps"):
        his.list(path, status=403)
    his.get(f"{http.user}/mine", status=403)
    his.put(f"{http.user}/new", status=403)
    his.act("", "mkdir", "loose", status=403)
    his.act("bob", "copy", f"{http.user}/bob", status=403)
    his.act(f"{http.user}", "move", "bob/all", status=403)
    his.act("", "copy", "bob/everything", status=403)
    his.delete(f"{http.user}/mine", status=403)
    his.delete("", status=403)
    assert his.share(f"{http.user}/mine", "bob", "READ", status=403) == 403
    refusal(bob.get(his.url("history", f"{http.user}/mine")), status=403)
    his.ingest("bob", f"agave://sandbox-storage/{http.user}/mine", status=403)
    his.ingest("bob", "agave://sandbox-storage/", status=403)


def test_a_shared_file_shows_in_the_folder_of_homes(http: Http, bob: Http) -> None:
    mine, his = Storage(http, "sandbox-storage"), Storage(bob, "sandbox-storage")
    mine.share(http.user, "bob", "READ")
    assert http.user in his.names()
    mine.share(http.user, "bob", "NONE", status=200)
    assert http.user not in his.names()


def test_a_public_execution_system_is_the_administrators(http: Http, admin: Http) -> None:
    Storage(http, "sandbox-exec").list(status=403)
    assert Storage(admin, "sandbox-exec").list()[0]["permissions"] == "ALL"


@pytest.mark.parametrize(
    ("role", "word", "may_write"), [("GUEST", "READ", False), ("USER", "READ_WRITE", True), ("ADMIN", "ALL", True)]
)
def test_a_role_on_a_private_system_counts_on_every_path(
    disk: Storage, bob: Http, role: str, word: str, may_write: bool
) -> None:
    his = Storage(bob, disk.id)
    his.list(status=404)
    disk.http.post(f"/systems/v2/{disk.id}/roles", json={"username": "bob", "role": role})
    assert his.list()[0]["permissions"] == word
    his.put("new", status=202 if may_write else 403)


@pytest.mark.parametrize(
    ("word", "readable", "writable"),
    [("READ", True, False), ("WRITE", False, True), ("READ_WRITE", True, True), ("EXECUTE", False, False)],
)
def test_a_grant_allows_what_it_says(disk: Storage, bob: Http, word: str, readable: bool, writable: bool) -> None:
    disk.act("", "mkdir", "in", status=201)
    disk.put("in/a")
    disk.share("in", "bob", word, recursive="True")
    his = Storage(bob, disk.id)
    his.get("in/a", status=200 if readable else 403)
    his.put("in/new", status=202 if writable else 403)
    his.delete("in/a", status=200 if writable else 403)


def test_a_grant_without_recursion_is_for_the_item_alone(disk: Storage, bob: Http) -> None:
    disk.act("", "mkdir", "in", status=201)
    disk.put("in/a", b"x")
    disk.share("in", "bob", "READ")
    his = Storage(bob, disk.id)
    assert [each["permissions"] for each in his.list("in")] == ["READ", "NONE"]
    his.get("in/a", status=404)  # on a system he has no role on: he may not know of it
    his.ingest("", f"agave://{disk.id}/in", status=403)
    disk.share("in", "bob", "READ", recursive=True)
    assert [each["permissions"] for each in his.list("in")] == ["READ", "READ"]
    assert his.get("in/a") == b"x"


def test_the_nearest_grant_counts_and_protects_its_item(disk: Storage, bob: Http) -> None:
    disk.act("", "mkdir", "in", status=201)
    disk.put("in/open")
    disk.put("in/closed")
    disk.share("in", "bob", "ALL", recursive=True)
    disk.share("in/closed", "bob", "READ")
    his = Storage(bob, disk.id)
    assert [each["permissions"] for each in his.list("in")] == ["ALL", "READ", "ALL"]
    his.delete("in", status=403)
    his.act("in", "move", "in2", status=403)
    disk.share("in", "bob", "ALL", recursive=True)
    assert [each["permissions"] for each in his.list("in")] == ["ALL", "ALL", "ALL"]


@pytest.mark.parametrize("everybody", ["public", "world"])
def test_public_and_world_share_with_everyone(disk: Storage, bob: Http, everybody: str) -> None:
    disk.put("a", b"x")
    disk.share("a", everybody, "READ")
    assert Storage(bob, disk.id).get("a") == b"x"


def test_permissions_list_the_owner_first(disk: Storage) -> None:
    disk.put("a")
    [granted] = disk.share("a", "bob", "READ_WRITE")
    assert granted["permission"] == {"read": True, "write": True, "execute": False}
    disk.share("a", "eve", "ALL")
    assert disk.pems("a") == {disk.http.user: "rwe", "bob": "rw", "eve": "rwe"}
    answer = disk.http.get(disk.url("pems", "a"), params={"username.eq": "bob"})
    assert [each["username"] for each in checked(answer, "files.listPermissions")] == ["bob"]
    descriptions = [each["description"] for each in disk.http.get(disk.url("history", "a")).json()["result"]]
    assert descriptions[-1] == "OWNER permission granted to eve"


def test_permissions_are_taken_back_one_by_one_or_all(disk: Storage) -> None:
    disk.act("", "mkdir", "in", status=201)
    disk.put("in/a")

    def shared() -> tuple[set[str], set[str]]:
        return set(disk.pems("in")) - {disk.http.user}, set(disk.pems("in/a")) - {disk.http.user}

    for name in ("bob", "eve"):
        disk.share("in", name, "READ", recursive=True)
    disk.share("in/a", "eve", "ALL")
    [gone] = disk.share("in", "bob", "NONE", status=200, recursive=True)
    assert gone["permission"] == {"read": False, "write": False, "execute": False}
    assert shared() == ({"eve"}, {"eve"})
    assert checked(disk.http.delete(disk.url("pems", "in")), "files.deletePermissions") is None
    assert shared() == (set(), {"eve"})
    disk.share("in", "bob", "READ")
    answer = disk.http.post(disk.url("pems", "in"), data={"username": "*", "recursive": "True"})
    assert answer.status_code == 200
    assert shared() == (set(), set())


def test_permissions_come_as_booleans_too(disk: Storage) -> None:
    disk.put("a")
    form = {"username": "bob", "read": "true", "execute": "True", "write": "false"}
    checked(disk.http.post(disk.url("pems", "a"), data=form), "files.updatePermissions", status=201)
    assert disk.pems("a")["bob"] == "re"


@pytest.mark.parametrize(
    "body",
    [
        {"permission": "READ"},
        {"username": "bob", "permission": "SNIFF"},
        {"username": "bob", "permission": 7},
        {"username": "bob", "permission": "READ", "recursive": "maybe"},
        {"username": "*", "permission": "READ"},
        {"username": "", "permission": "READ"},
    ],
)
def test_a_permission_that_is_none_is_refused(disk: Storage, body: dict[str, Any]) -> None:
    disk.put("a")
    refusal(disk.http.post(disk.url("pems", "a"), json=body), status=400)


def test_the_owner_keeps_all(disk: Storage) -> None:
    disk.put("a")
    assert disk.share("a", disk.http.user, "READ", status=400) == 400
    disk.share("a", disk.http.user, "ALL")


# What an answer has acknowledged is on the disk itself


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The numbers (inodes) of files and folders that were written to the disk."""
    found: set[int] = set()
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (found.add(os.fstat(handle).st_ino), fsync(handle))[1])
    return found


def test_an_uploaded_file_is_on_the_disk_when_it_is_answered(disk: Storage, tenant: Sandbox, synced: set[int]) -> None:
    disk.put("a", b"1")
    assert {real(tenant, disk, path).stat().st_ino for path in ("a", "")} <= synced


@pytest.mark.parametrize("action", ["rename", "move", "copy"])
def test_a_changed_folder_is_on_the_disk_when_it_is_answered(
    disk: Storage, tenant: Sandbox, synced: set[int], action: str
) -> None:
    disk.act("", "mkdir", "in/deep", status=201)
    assert {real(tenant, disk, path).stat().st_ino for path in ("", "in")} <= synced
    disk.put("in/deep/a", b"1")
    synced.clear()
    disk.act("in", action, "out")
    assert real(tenant, disk, "").stat().st_ino in synced
    if action == "copy":
        copied = [real(tenant, disk, path).stat().st_ino for path in ("out", "out/deep", "out/deep/a")]
        assert set(copied) <= synced


# Imports


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    """A web server: /file, /two%20words, /login for ann:secret, anything else is not there."""

    class Pages(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            allowed = self.path != "/login" or self.headers.get("Authorization") == "Basic YW5uOnNlY3JldA=="
            found = self.path in ("/file", "/two%20words", "/login", "/broken") and allowed
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", "99" if self.path == "/broken" else "3")
            self.end_headers()
            self.wfile.write(b"web")

        def log_message(self, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def settle(tenant: Sandbox) -> None:
    tenant.state.services["files"].wait_idle(20)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("path", "name"), [("/file", "file"), ("/two%20words", "two words"), ("/file?x=1#y", None)])
def test_a_web_file_is_imported_in_the_background(
    disk: Storage, tenant: Sandbox, web: str, path: str, name: str | None
) -> None:
    file = disk.ingest("", f"{web}{path}")
    settle(tenant)
    if name is None:
        return
    assert (file["name"], file["status"], file["source"]) == (name, "STAGING_QUEUED", f"{web}{path}")
    assert disk.get(name) == b"web"
    assert disk.history(name) == ["STAGING_QUEUED", "STAGING", "CREATED", "STAGING_COMPLETED"]


def test_an_import_keeps_the_password_of_its_url_to_itself(disk: Storage, tenant: Sandbox, web: str) -> None:
    file = disk.ingest("", web.replace("//", "//ann:secret@") + "/login", fileName="got")
    settle(tenant)
    assert disk.get("got") == b"web"
    assert file["source"] == f"{web}/login"
    assert "secret" not in disk.http.get(disk.url("history", "got")).text


@pytest.mark.parametrize("path", ["/nothing", "/broken", "/login"])
def test_an_import_that_fails_says_so_and_leaves_nothing(disk: Storage, tenant: Sandbox, web: str, path: str) -> None:
    disk.ingest("", f"{web}{path}", fileName="got")
    settle(tenant)
    assert disk.history("got") == ["STAGING_QUEUED", "STAGING", "STAGING_FAILED"]
    disk.get("got", status=404)
    assert not list(tenant.state.disk.incoming.iterdir())


def test_an_import_reads_the_tenants_own_files_itself(disk: Storage, tenant: Sandbox, http: Http) -> None:
    disk.act("", "mkdir", "from/deep", status=201)
    disk.put("from/deep/a b%", b"1")
    disk.act("", "mkdir", "to", status=201)
    encoded = quote("from/deep/a b%")
    for name, uri in {
        "agave": f"agave://{disk.id}/{encoded}",
        "absolute": f"agave://{disk.id}//home/ann/{encoded}",
        "url": f"{http.base_url}/files/v2/media/system/{disk.id}/{encoded}",
        "localhost": f"{http.base_url.replace('127.0.0.1', 'localhost')}/files/v2/media/system/{disk.id}/{encoded}",
    }.items():
        disk.ingest("to", uri, fileName=name)
    disk.ingest("to", f"agave://{disk.id}/from")
    settle(tenant)
    assert disk.names("to") == [".", "absolute", "agave", "from", "localhost", "url"]
    assert (
        disk.get("to/localhost")
        == disk.get("to/url")
        == disk.get("to/absolute")
        == disk.get("to/agave")
        == disk.get("to/from/deep/a b%")
        == b"1"
    )


def test_an_import_reads_the_outputs_of_a_job(disk: Storage, tenant: Sandbox, http: Http, bob: Http) -> None:
    compute = Compute(tenant, http)
    job = compute.run(compute.app("echo done > result.txt\n"))
    uri = f"{http.base_url}/jobs/v2/{job['id']}/outputs/media/result.txt"
    disk.ingest("", uri)
    settle(tenant)
    assert disk.get("result.txt") == b"done\n"
    answer = bob.post("/files/v2/media/system/sandbox-storage/bob", data={"urlToIngest": uri})
    assert answer.status_code in (401, 403)


def test_an_import_is_asked_for_as_json_too(disk: Storage, tenant: Sandbox) -> None:
    disk.put("a", b"1")
    body = {"urlToIngest": f"agave://{disk.id}/a", "fileName": "b"}
    checked(disk.http.post(disk.url("media", ""), json=body), "files.importData", status=202)
    settle(tenant)
    assert disk.get("b") == b"1"


def test_a_folder_is_not_imported_into_itself(disk: Storage, tenant: Sandbox) -> None:
    disk.act("", "mkdir", "in", status=201)
    disk.ingest("in", f"agave://{disk.id}/in")
    settle(tenant)
    assert disk.names("in") == ["."]
    assert disk.history("in/in")[-1] == "STAGING_FAILED"


def test_an_upload_does_not_replace_a_folder(disk: Storage) -> None:
    disk.act("", "mkdir", "in/sub", status=201)
    disk.put("in", name="sub", status=400)
    assert disk.list("in/sub")[0]["type"] == "dir"


@pytest.mark.parametrize(
    ("uri", "status"),
    [
        ("ftp://example.org/x", 400),
        ("file:///etc/passwd", 400),
        ("http://", 400),
        ("agave://no-such-system/x", 404),
        ("agave://sandbox-storage/../../../etc/passwd", 404),
        ("nothing/here", 403),
        (" ", 400),
    ],
)
def test_a_source_that_cannot_be_read_is_refused_at_once(disk: Storage, uri: str, status: int) -> None:
    disk.ingest("", uri, status=status)


def test_a_source_of_the_tenant_that_is_no_file_is_refused(disk: Storage, http: Http) -> None:
    disk.ingest("", f"{http.base_url}/profiles/v2/me", status=400)


def test_an_import_that_a_crash_cut_off_has_failed(tmp_path: Path) -> None:
    with Sandbox(root=tmp_path) as first:
        disk = Storage(Http(first), "sandbox-storage")
        disk.put("sandbox/a")
        left = {"task": "1-020", "key": "sandbox-storage/home/sandbox/a", "user": "sandbox"}
        first.state.store.put("import", "1-020", left, updated=0.0)
    with Sandbox(root=tmp_path) as second:
        disk = Storage(Http(second), "sandbox-storage")
        assert disk.history("sandbox/a")[-1] == "STAGING_FAILED"
        assert disk.get("sandbox/a") == b"data"
        assert list(second.state.store.all("import")) == []


# The interfaces of the other services


def test_inputs_are_fetched_by_name(disk: Storage, tenant: Sandbox, http: Http, web: str, tmp_path: Path) -> None:
    files: Any = tenant.state.services["files"]
    disk.act("", "mkdir", "folder", status=201)
    disk.put("folder/a", b"1")
    user = http.user
    assert files.fetch(user, f"agave://{disk.id}/folder/a", tmp_path, http.base_url) == "a"
    assert files.fetch(user, f"agave://{disk.id}/folder", tmp_path, http.base_url) == "folder"
    assert files.fetch(user, f"{web}/file", tmp_path, http.base_url) == "file"
    Storage(http, "sandbox-storage").put(f"{user}/in put", b"2")
    assert files.fetch(user, f"{user}/in put", tmp_path, http.base_url) == "in put"
    assert (tmp_path / "folder/a").read_bytes() == (tmp_path / "a").read_bytes() == b"1"
    assert (tmp_path / "in put").read_bytes() == b"2"


def test_every_file_operation_needs_a_token(tenant: Sandbox) -> None:
    answer = requests.get(f"{tenant.url}/files/v2/listings/", timeout=10)
    assert answer.status_code == 401
    assert json.loads(answer.text)["fault"]["code"] == 900902


def test_administrators_have_a_home_of_their_own_too() -> None:
    with Sandbox() as tenant:
        ag = tenant.client("admin")
        ag.files.importData(systemId="sandbox-storage", filePath="admin", fileToUpload=b"tide", fileName="a.txt")
        assert ag.files.download(systemId="sandbox-storage", filePath="admin/a.txt").content == b"tide"
