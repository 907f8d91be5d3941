"""Files changed where they are, fetched by the server, and reached by links."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agavepy.agave import Agave
from agavepy.errors import AgaveError, AgaveHTTPError, UnsafePath
from agavepy.sandbox import Sandbox

from .conftest import SYSTEM, got, put


def test_copy_move_and_delete(ag: Agave, remote: str) -> None:
    put(ag, f"{remote}/a", b"x")
    ag.files_mkdir(f"{remote}/sub")
    ag.files_copy(f"{remote}/a", f"{remote}/b")
    ag.files_copy(f"{remote}/a", f"{remote}/sub/")
    ag.files_move(f"{remote}/b", f"{remote}/sub/c")
    ag.files_move(f"{remote}/sub/c", f"{remote}/sub/d")
    ag.files_delete(f"{remote}/a")
    assert list(ag.files_walk(remote)) == [(remote, ["sub"], []), (f"{remote}/sub", [], ["a", "d"])]
    ag.files_delete(f"{remote}/sub")
    assert list(ag.files_walk(remote)) == [(remote, [], [])]


@pytest.mark.parametrize("name", ["100%25.txt", "a#b?.txt", "ü +;.txt"])
def test_names_are_literal_everywhere(ag: Agave, remote: str, name: str) -> None:
    ag.files_mkdir(f"{remote}/{name}/deep")
    put(ag, f"{remote}/x", b"x")
    ag.files_copy(f"{remote}/x", f"{remote}/{name}/")
    ag.files_move(f"{remote}/{name}/x", f"{remote}/{name}/{name}")
    assert [files for _, _, files in ag.files_walk(f"{remote}/{name}")] == [[name], []]
    ag.files_pems_update(f"{remote}/{name}/{name}", "collab", "READ")
    assert [each.username for each in ag.files_pems_list(f"{remote}/{name}/{name}")] == ["nryan", "collab"]
    assert [each.status for each in ag.files_history(f"{remote}/{name}/{name}")][:2] == ["CREATED", "MOVED"]
    ag.files_delete(f"{remote}/{name}")
    assert list(ag.files_walk(remote)) == [(remote, [], ["x"])]


def test_a_folder_that_is_there_is_made_again_without_harm(ag: Agave, remote: str) -> None:
    put(ag, f"{remote}/x", b"x")
    ag.files_mkdir(remote)
    ag.files_mkdir(f"{SYSTEM}/")
    assert got(ag, f"{remote}/x") == b"x"


@pytest.mark.parametrize("address", [SYSTEM, f"{SYSTEM}/", f"/{SYSTEM}", f"{SYSTEM}//"])
def test_a_whole_system_is_not_deleted(ag: Agave, tenant: Sandbox, address: str) -> None:
    seen = len(tenant.requests)
    with pytest.raises(AgaveError, match="is a whole system"):
        ag.files_delete(address)
    assert len(tenant.requests) == seen


def test_dots_are_refused_in_a_destination_too(ag: Agave, remote: str) -> None:
    put(ag, f"{remote}/x", b"x")
    with pytest.raises(UnsafePath):
        ag.files_move(f"{remote}/x", f"{remote}/../y")


def test_the_root_of_a_system_is_reached_by_two_slashes(ag: Agave, remote: str) -> None:
    put(ag, f"{remote}/x", b"x")
    below = remote.partition("/")[2]
    ag.files_copy(f"{SYSTEM}//home/{below}/x", f"{SYSTEM}//home/{below}/y")
    assert got(ag, f"{remote}/y") == b"x"


@pytest.fixture
def other_system(ag: Agave) -> str:
    storage = {"protocol": "LOCAL", "host": "localhost", "rootDir": "/", "homeDir": "/"}
    ag.systems.add(body={"id": "nryan-other", "name": "other", "type": "STORAGE", "storage": storage})
    return "nryan-other"


def test_a_copy_to_another_system_is_there_when_the_call_returns(ag: Agave, remote: str, other_system: str) -> None:
    put(ag, f"{remote}/a#b", b"x" * 100_000)
    ag.files_copy(f"{remote}/a#b", f"{other_system}/c")
    assert got(ag, f"{other_system}/c") == b"x" * 100_000
    with pytest.raises(AgaveError, match="cannot be moved to another system"):
        ag.files_move(f"{remote}/a#b", f"{other_system}/d")


# Imports


@pytest.fixture
def web() -> Iterator[str]:
    """A web server that has one file."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_there = self.path == "/some%20data.csv"
            self.send_response(200 if is_there else 404)
            self.end_headers()
            self.wfile.write(b"1,2\n" if is_there else b"")

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_file_of_the_web_is_there_when_it_was_waited_for(ag: Agave, remote: str, web: str) -> None:
    ag.files_import(f"{web}/some%20data.csv", f"{remote}/", wait=True)
    assert got(ag, f"{remote}/some data.csv") == b"1,2\n"
    ag.files_import(f"{web}/some%20data.csv", f"{remote}/b.csv", wait=True, timeout_s=30)
    ag.files_import(f"{web}/some%20data.csv", f"{remote}/b.csv", wait=True)  # its history has one import already
    assert got(ag, f"{remote}/b.csv") == b"1,2\n"


def test_an_import_that_fails_says_why(ag: Agave, remote: str, web: str) -> None:
    with pytest.raises(AgaveError, match=r"was not imported: .*404"):
        ag.files_import(f"{web}/nothing", f"{remote}/x", wait=True)


def test_an_import_goes_on_by_itself(ag: Agave, tenant: Sandbox, remote: str, web: str) -> None:
    ag.files_import(f"{web}/some%20data.csv", f"{remote}/new/")
    tenant.run_until_idle()
    assert got(ag, f"{remote}/new/some data.csv") == b"1,2\n"


def test_an_import_from_another_folder_of_the_tenant(ag: Agave, remote: str) -> None:
    ag.files_mkdir(f"{remote}/from/deep")
    put(ag, f"{remote}/from/100%25.txt", b"x")
    ag.files_import(f"agave://{remote}/from", f"{remote}/to", wait=True)
    assert list(ag.files_walk(f"{remote}/to")) == [
        (f"{remote}/to", ["deep"], ["100%25.txt"]),
        (f"{remote}/to/deep", [], []),
    ]


@pytest.mark.parametrize("source", ["some/file", "/data/x", "", "file:///etc/passwd"])
def test_a_source_that_is_no_address_is_refused(ag: Agave, remote: str, source: str) -> None:
    with pytest.raises(AgaveError, match="cannot be imported: write agave://"):
        ag.files_import(source, f"{remote}/x")


def test_patience_ends(ag: Agave, remote: str, tenant: Sandbox) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and never answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/x"
        with pytest.raises(AgaveError, match=r"is not there after 0\.01 s"):
            ag.files_import(url, f"{remote}/x", wait=True, timeout_s=0.01)
    tenant.run_until_idle()


# Permissions


@pytest.mark.parametrize("word", ["read", "READ_WRITE", "All"])
def test_a_permission_is_given_and_taken_away(ag: Agave, remote: str, word: str) -> None:
    ag.files_pems_update(remote, "collab", word)
    assert len(ag.files_pems_list(remote)) == 2
    ag.files_pems_update(remote, "collab", "NONE")
    assert len(ag.files_pems_list(remote)) == 1


def test_recursive_permissions_reach_what_is_in_the_folder(ag: Agave, tenant: Sandbox, remote: str) -> None:
    put(ag, f"{remote}/x", b"x")
    ag.files_pems_update(remote, "collab", "READ", recursive=True)
    friend = tenant.client("collab")
    assert got(friend, f"{remote}/x") == b"x"
    ag.files_pems_delete(remote)
    assert len(ag.files_pems_list(remote)) == 1
    friend.close()


def test_a_permission_that_there_is_not_suggests_one(ag: Agave, tenant: Sandbox, remote: str) -> None:
    seen = len(tenant.requests)
    with pytest.raises(AgaveError, match=r"perms='REED': one of READ, .*Did you mean 'READ'"):
        ag.files_pems_update(remote, "collab", "REED")
    assert len(tenant.requests) == seen


# Links


def test_download_uri_saves_what_a_link_leads_to(ag: Agave, remote: str, tmp_path: Path) -> None:
    put(ag, f"{remote}/a b.txt", b"x")
    for number, name in enumerate(("a b.txt", "a%20b.txt")):  # a link quotes names
        ag.download_uri(f"agave://{remote}/{name}", str(tmp_path / str(number)))
        assert (tmp_path / str(number)).read_bytes() == b"x"


def test_download_uri_leaves_no_file_when_it_fails(ag: Agave, remote: str, tmp_path: Path) -> None:
    with pytest.raises(AgaveHTTPError, match="404"):
        ag.download_uri(f"agave://{remote}/nothing", tmp_path / "x")
    with pytest.raises(AgaveError, match=r"is neither agave://system-id/path nor"):
        ag.download_uri("https://elsewhere.org/x", tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_geturl_gives_the_answer_whatever_it_is(ag: Agave, tenant: Sandbox) -> None:
    assert ag.geturl(f"{tenant.url}/profiles/v2/me").json()["result"]["username"] == "nryan"
    assert ag.geturl("systems/v2/nothing").status_code == 404


def test_geturl_tells_no_other_server_the_token(ag: Agave, recorder: object) -> None:
    ag.geturl(f"{recorder.url}/x")  # type: ignore[attr-defined]
    assert "authorization" not in recorder.last.headers  # type: ignore[attr-defined]
