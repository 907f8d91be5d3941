"""The files of a tenant by way of fsspec: its own suite, and what it does not ask."""

from __future__ import annotations

import concurrent.futures
import os
import pickle
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
import requests
from fsspec.tests import abstract

from agavepy.agave import Agave
from agavepy.errors import AgaveError
from agavepy.filesystem import AgaveFileSystem
from agavepy.sandbox import Sandbox

from .relay import relaying

SYSTEM = "sandbox-storage"

# Of the fixtures of fsspec's own suite, in its releases before 2026.
pytestmark = pytest.mark.filterwarnings("ignore:Class-scoped fixtures:DeprecationWarning")


@pytest.fixture(scope="module")
def tenant() -> Iterator[Sandbox]:
    with Sandbox(users={"nryan": "a password", "wsmith": "another"}) as running:
        yield running


@pytest.fixture
def ag(tenant: Sandbox) -> Iterator[Agave]:
    client = tenant.client()
    yield client
    client.close()


@pytest.fixture
def fs(ag: Agave) -> AgaveFileSystem:
    return AgaveFileSystem(client=ag)


@pytest.fixture
def folder(ag: Agave) -> str:
    """A fresh folder, as fsspec writes it."""
    address = f"{SYSTEM}/nryan/{uuid.uuid4().hex}"
    ag.files_mkdir(address)
    return address


class _Fixtures(abstract.AbstractFixtures):
    @pytest.fixture
    def fs(self, ag: Agave) -> AgaveFileSystem:
        return AgaveFileSystem(client=ag)

    @pytest.fixture
    def fs_join(self) -> Any:
        return lambda *names: "/".join(names)

    @pytest.fixture
    def fs_path(self, folder: str) -> str:
        return folder


class TestCopy(abstract.AbstractCopyTests, _Fixtures):
    pass


class TestGet(abstract.AbstractGetTests, _Fixtures):
    pass


class TestPut(abstract.AbstractPutTests, _Fixtures):
    pass


class TestOpen(abstract.AbstractOpenTests, _Fixtures):
    pass


class TestPipe(abstract.AbstractPipeTests, _Fixtures):
    pass


# Paths


@pytest.mark.parametrize(
    ("url", "path", "parent"),
    [
        ("agave://data/a/b.txt", "data/a/b.txt", "data/a"),
        ("agave://data/a/", "data/a", "data"),
        ("agave://data//etc/motd", "data//etc/motd", "data//etc"),
        ("agave://data//etc", "data//etc", "data//"),
        ("agave://data//", "data//", ""),
        ("agave://data", "data", ""),
        ("agave://", "", ""),
        ("/data/a//b", "data/a/b", "data/a"),
    ],
)
def test_a_path_is_a_system_and_a_place_on_it(url: str, path: str, parent: str) -> None:
    assert AgaveFileSystem._strip_protocol(url) == path
    assert AgaveFileSystem._parent(path) == parent


@pytest.mark.parametrize("name", ["100%25.txt", "a#b?.txt", "a b+c;d.txt", "größe.txt"])
def test_names_are_literal(fs: AgaveFileSystem, folder: str, name: str) -> None:
    fs.pipe_file(f"{folder}/{name}", b"tide")
    assert fs.ls(folder, detail=False) == [f"{folder}/{name}"]
    assert fs.cat_file(f"agave://{folder}/{name}") == b"tide"


@pytest.mark.parametrize(("name", "other"), [("a?b#.txt", "aab#.txt"), ("[1].txt", "1.txt"), ("s*", "star")])
def test_a_name_that_is_there_is_no_pattern(
    fs: AgaveFileSystem, folder: str, tmp_path: Path, name: str, other: str
) -> None:
    fs.pipe({f"{folder}/{name}": b"this", f"{folder}/{other}": b"other"})
    assert fs.cat(f"{folder}/{name}") == b"this"
    fs.get(f"{folder}/{name}", str(tmp_path / "got"))
    fs.get(f"{folder}/{name}", f"{tmp_path}/into/")
    assert (tmp_path / "got").read_bytes() == (tmp_path / "into" / name).read_bytes() == b"this"
    fs.cp(f"{folder}/{name}", f"{folder}/copied")
    fs.mv(f"{folder}/{name}", f"{folder}/moved", maxdepth=1)
    fs.mv(f"{folder}/moved", f"{folder}/{name}")
    fs.rm(f"{folder}/{name}")
    assert sorted(fs.cat(f"{folder}/*").values()) == [b"other", b"this"]
    assert fs.ls(folder, detail=False) == sorted([f"{folder}/{other}", f"{folder}/copied"])


def test_a_folder_whose_name_looks_like_a_pattern_is_taken_whole(
    fs: AgaveFileSystem, folder: str, tmp_path: Path
) -> None:
    fs.pipe({f"{folder}/[x]/deep/a": b"1", f"{folder}/x/other": b"2"})
    fs.get(f"{folder}/[x]", str(tmp_path / "new"), recursive=True)
    fs.get(f"{folder}/[x]", str(tmp_path), recursive=True)
    assert (tmp_path / "new/deep/a").read_bytes() == (tmp_path / "[x]/deep/a").read_bytes() == b"1"
    fs.cp(f"{folder}/[x]", f"{folder}/copy", recursive=True)
    fs.rm(f"{folder}/[x]", recursive=True)
    assert fs.find(folder) == [f"{folder}/copy/deep/a", f"{folder}/x/other"]


def test_the_root_of_a_system_is_not_its_home(fs: AgaveFileSystem, folder: str) -> None:
    fs.touch(f"{folder}/a")
    from_root = folder.replace("/", "//home/", 1)
    assert fs.find(from_root) == [f"{from_root}/a"]
    assert f"{SYSTEM}//home/nryan" in fs.ls(f"{SYSTEM}//home", detail=False)
    assert f"{SYSTEM}/nryan" in fs.ls(SYSTEM, detail=False)


def test_the_top_holds_the_storage_systems(fs: AgaveFileSystem) -> None:
    assert SYSTEM in fs.ls("agave://", detail=False)
    assert fs.isdir("")


def test_a_file_in_a_folder_of_its_name_is_not_taken_for_it(fs: AgaveFileSystem, folder: str) -> None:
    fs.pipe_file(f"{folder}/a/a", b"x")
    assert fs.isdir(f"{folder}/a")
    assert fs.ls(f"{folder}/a", detail=False) == [f"{folder}/a/a"]


def test_more_than_a_page_is_listed(fs: AgaveFileSystem, tenant: Sandbox, folder: str) -> None:
    place = tenant.root / "systems" / SYSTEM / "home" / folder.partition("/")[2]
    for number in range(600):
        (place / f"{number:03}").touch()
    assert len(fs.ls(folder)) == len(fs.glob(f"{folder}/*")) == 600
    assert fs.glob(f"{folder}/59?")[-1] == f"{folder}/599"


# Reading


def test_info_tells_size_date_and_kind(fs: AgaveFileSystem, folder: str) -> None:
    fs.pipe_file(f"{folder}/a", b"12345")
    facts = fs.info(f"{folder}/a")
    assert (facts["size"], facts["type"]) == (5, "file")
    assert fs.modified(f"{folder}/a").tzinfo is not None
    assert fs.isfile(f"{folder}/a")
    assert not fs.isdir(f"{folder}/a")


def test_the_date_a_file_was_made_stays_when_it_is_written_again(
    fs: AgaveFileSystem, tenant: Sandbox, folder: str
) -> None:
    fs.pipe_file(f"{folder}/a", b"1")
    made, key = fs.created(f"{folder}/a"), fs.ukey(f"{folder}/a")
    assert key == fs.ukey(f"{folder}/a")
    fs.pipe_file(f"{folder}/a", b"22")
    assert fs.created(f"{folder}/a") == made
    assert made.tzinfo is not None
    assert fs.ukey(f"{folder}/a") != key
    (tenant.root / "systems" / SYSTEM / "home" / folder.partition("/")[2] / "of a job").touch()
    assert fs.created(f"{folder}/of a job") is None


def test_parts_of_a_file_are_asked_for_as_parts(fs: AgaveFileSystem, tenant: Sandbox, folder: str) -> None:
    data = os.urandom(3 << 20)
    fs.pipe_file(f"{folder}/a", data)
    assert fs.cat_file(f"{folder}/a", 1000, 2000) == data[1000:2000]
    assert fs.cat_file(f"{folder}/a", -10) == data[-10:]
    assert fs.cat_file(f"{folder}/a", 0, -10) == data[:-10]
    assert fs.cat_file(f"{folder}/a", len(data) + 5, len(data) + 9) == b""
    with fs.open(f"{folder}/a", block_size=1 << 18) as file:
        file.seek(2 << 20)
        assert file.read(100) == data[2 << 20 :][:100]
        file.seek(-3, 2)
        assert file.read() == data[-3:]
    assert [each["status"] for each in tenant.requests if each["operation"] == "files.download"][-2:] == [206, 206]


def test_an_empty_file_is_read_as_one(fs: AgaveFileSystem, folder: str) -> None:
    fs.touch(f"{folder}/empty")
    with fs.open(f"{folder}/empty") as file:
        assert file.read() == b""
    assert fs.cat_file(f"{folder}/empty") == b""


def test_a_file_that_changes_while_it_is_read_is_an_error(fs: AgaveFileSystem, folder: str) -> None:
    fs.pipe_file(f"{folder}/a", b"a" * 3000)
    with fs.open(f"{folder}/a", block_size=1000, cache_type="none") as file:
        assert file.read(1000) == b"a" * 1000
        fs.pipe_file(f"{folder}/a", b"b" * 3000)
        with pytest.raises(OSError, match="changed while it was read"):
            file.read(1000)


def test_a_connection_that_breaks_is_gone_on_with(
    tenant: Sandbox, ag: Agave, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agavepy.transport._backoff_s", lambda attempt: 0.0)
    data = os.urandom(2 << 20)
    AgaveFileSystem(client=ag).pipe_file(f"{folder}/a", data)
    with relaying(tenant.url) as relay:
        relay.cuts = [("down", 700_000), ("down", 500_000)]
        through = AgaveFileSystem(api_server=relay.url, token=str(ag.token))
        assert through.cat_file(f"{folder}/a") == data
        assert not relay.cuts
        through.client.close()


# Writing


def test_a_file_appears_when_it_is_closed(fs: AgaveFileSystem, folder: str) -> None:
    with fs.open(f"{folder}/new/a", "wb", block_size=1000) as file:
        for _ in range(10):
            file.write(b"x" * 999)
        assert not fs.exists(f"{folder}/new/a")
    assert fs.cat_file(f"{folder}/new/a") == b"x" * 9990


def test_appending_keeps_what_is_there(fs: AgaveFileSystem, folder: str) -> None:
    for text in (b"one\n", b"two\n"):
        with fs.open(f"{folder}/a", "ab") as file:
            file.write(text)
            assert file.tell() in (4, 8)
    assert fs.cat_file(f"{folder}/a") == b"one\ntwo\n"


def test_text_is_written_and_read(fs: AgaveFileSystem, folder: str) -> None:
    with fs.open(f"{folder}/a", "w", encoding="utf-8") as file:
        file.write("größer\n")
    assert fs.read_text(f"{folder}/a", encoding="utf-8") == "größer\n"


def test_what_a_transaction_wrote_appears_at_its_end(fs: AgaveFileSystem, folder: str) -> None:
    with fs.transaction:
        fs.pipe_file(f"{folder}/a", b"1")
        assert not fs.exists(f"{folder}/a")
    assert fs.cat_file(f"{folder}/a") == b"1"


def test_transfers_tell_how_far_they_are(fs: AgaveFileSystem, folder: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 5000)
    up, down = fsspec.callbacks.Callback(), fsspec.callbacks.Callback()
    fs.put_file(str(tmp_path / "a"), f"{folder}/a", callback=up)
    fs.get_file(f"{folder}/a", str(tmp_path / "b"), callback=down)
    assert (up.size, up.value) == (down.size, down.value) == (5000, 5000)


def test_a_file_is_brought_with_one_look_at_it(
    fs: AgaveFileSystem, tenant: Sandbox, folder: str, tmp_path: Path
) -> None:
    fs.pipe_file(f"{folder}/a", b"1")
    with tenant.recorded() as requests_made:
        fs.get_file(f"{folder}/a", str(tmp_path / "a"))
    assert [each["operation"] for each in requests_made] == ["files.list", "files.download"]


def test_moving_is_done_by_the_server(fs: AgaveFileSystem, tenant: Sandbox, folder: str) -> None:
    fs.pipe_file(f"{folder}/a/b", b"1")
    with tenant.recorded() as requests_made:
        fs.mv(f"{folder}/a", f"{folder}/deep/c")
    assert fs.find(folder) == [f"{folder}/deep/c/b"]
    operations = {each["operation"] for each in requests_made}
    assert operations
    assert "files.download" not in operations
    fs.mv(f"{folder}/deep/c/b", folder)
    assert fs.isfile(f"{folder}/b")


def test_what_lies_deeper_than_was_asked_for_is_neither_deleted_nor_moved(fs: AgaveFileSystem, folder: str) -> None:
    fs.pipe({f"{folder}/a/0": b"0", f"{folder}/a/1": b"1", f"{folder}/a/b/2": b"2"})
    fs.mkdir(f"{folder}/a/empty")
    fs.mv(f"{folder}/a", f"{folder}/c", recursive=True, maxdepth=1)
    assert fs.find(folder) == [f"{folder}/a/b/2", f"{folder}/c/0", f"{folder}/c/1"]
    fs.rm(f"{folder}/a", recursive=True, maxdepth=1)
    assert fs.find(folder, withdirs=True)[1:5] == [f"{folder}/a", f"{folder}/a/b", f"{folder}/a/b/2", f"{folder}/c"]


def test_a_folder_is_deleted_along_with_what_is_named_beside_it(fs: AgaveFileSystem, folder: str) -> None:
    fs.pipe({f"{folder}/a/1": b"1", f"{folder}/a/b/2": b"2"})
    fs.rm(fs.find(f"{folder}/a", withdirs=True), recursive=True)
    assert fs.ls(folder) == []


def test_nothing_is_made_for_what_is_not_there(fs: AgaveFileSystem, folder: str) -> None:
    for act in (fs.cp_file, fs.mv):
        with pytest.raises(FileNotFoundError, match="nothing"):
            act(f"{folder}/nothing", f"{folder}/new/a")
    assert fs.ls(folder) == []


def test_threads_share_an_instance(ag: Agave, folder: str) -> None:
    fs = AgaveFileSystem(client=ag, use_listings_cache=True)

    def use(number: int) -> bytes:
        path = f"{folder}/{number % 3}/{number}"
        fs.pipe_file(path, str(number).encode() * 1000)
        fs.ls(folder)
        assert path in fs.ls(f"{folder}/{number % 3}", detail=False)
        with fs.open(path) as file:
            return bytes(file.read())

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        assert list(threads.map(use, range(40))) == [str(number).encode() * 1000 for number in range(40)]
    assert len(fs.find(folder)) == 40


def test_listings_are_remembered_where_that_is_wished(ag: Agave, tenant: Sandbox, folder: str) -> None:
    fs = AgaveFileSystem(client=ag, use_listings_cache=True)
    fs.pipe_file(f"{folder}/a", b"1")
    fs.ls(folder)
    with tenant.recorded() as requests_made:
        assert fs.info(f"{folder}/a")["size"] == 1
        assert fs.ls(folder, detail=False) == [f"{folder}/a"]
    assert requests_made == []
    fs.pipe_file(f"{folder}/b", b"1")
    assert fs.ls(folder, detail=False) == [f"{folder}/a", f"{folder}/b"]


# Errors


def test_refusals_are_errors_of_the_kind_that_files_have(
    fs: AgaveFileSystem, tenant: Sandbox, folder: str, tmp_path: Path
) -> None:
    fs.pipe_file(f"{folder}/a", b"1")
    with pytest.raises(FileNotFoundError, match="nothing"):
        fs.open(f"{folder}/nothing")
    with pytest.raises(FileNotFoundError):
        fs.get_file(f"{folder}/nothing", str(tmp_path / "a"))
    with pytest.raises(FileNotFoundError):
        fs.rm(f"{folder}/nothing")
    with pytest.raises(IsADirectoryError):
        fs.open(folder)
    with pytest.raises(IsADirectoryError):
        fs.rm(folder)
    with pytest.raises(IsADirectoryError):
        fs.rm_file(folder)
    with pytest.raises(IsADirectoryError):
        fs.cat_file(folder)
    with pytest.raises(IsADirectoryError):
        fs.pipe_file(folder, b"1")
    with pytest.raises(IsADirectoryError):
        fs.open("agave://")
    with pytest.raises(IsADirectoryError):
        fs.open(SYSTEM, "wb")
    with pytest.raises(NotADirectoryError):
        fs.pipe_file(f"{folder}/a/b/c", b"1")
    with pytest.raises(NotADirectoryError):
        fs.mkdir(f"{folder}/a/b")
    with pytest.raises(NotADirectoryError):
        fs.rmdir(f"{folder}/a")
    with pytest.raises(FileNotFoundError):
        fs.rmdir(f"{folder}/nothing")
    with pytest.raises(FileNotFoundError):
        fs.mkdir("no-such-system")
    with pytest.raises(AgaveError, match="not UTF-8"):
        fs.pipe_file(f"{folder}/\udcff", b"1")
    with pytest.raises(OSError, match="not empty"):
        fs.rmdir(folder)
    with pytest.raises(FileExistsError):
        fs.mkdir(folder)
    with pytest.raises(FileNotFoundError):
        fs.mkdir(f"{folder}/x/y", create_parents=False)
    other = AgaveFileSystem(client=tenant.client("nryan"))
    with pytest.raises(PermissionError):
        other.ls(f"{SYSTEM}/sandbox")


def test_no_network_is_not_taken_for_no_file() -> None:
    fs = AgaveFileSystem(api_server="http://127.0.0.1:9", token="t", verify=False)
    with pytest.raises(requests.exceptions.ConnectionError):
        fs.exists("data/a")


# Instances


def test_no_secret_is_kept_or_written_down(tenant: Sandbox, ag: Agave) -> None:
    token = str(ag.token)
    fs = AgaveFileSystem(api_server=tenant.url, token=token)
    assert fs.isdir(SYSTEM)
    for shown in (repr(fs), str(fs.storage_options), fs.to_json(), repr(pickle.dumps(fs)), str(vars(fs))):
        assert token not in shown


def test_a_secret_is_no_part_of_the_name_of_a_session() -> None:
    with pytest.raises(AgaveError, match="'token' lets somebody in"):
        AgaveFileSystem(session={"api_server": "https://api.example.org", "token": "t"})


def test_clients_do_not_share_an_instance(tenant: Sandbox) -> None:
    one, other = tenant.client("nryan"), tenant.client("nryan")
    assert AgaveFileSystem(client=one).client is one
    assert AgaveFileSystem(client=other).client is other
    assert AgaveFileSystem(client=one) == AgaveFileSystem(client=one) != AgaveFileSystem(client=other)


@pytest.mark.parametrize("again", [lambda fs: pickle.loads(pickle.dumps(fs)), lambda fs: fs.from_json(fs.to_json())])
def test_an_instance_that_comes_back_has_the_session_that_it_had(
    tenant: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, again: Any
) -> None:
    monkeypatch.setenv("TAPIS_CACHE_DIR", str(tmp_path))
    for user in ("nryan", "wsmith"):  # the last one is the current one
        tenant.client(user).save_configs()
    nryan = tenant.client("nryan")
    for fs in (
        AgaveFileSystem(client=nryan, use_listings_cache=True),
        AgaveFileSystem(session={"username": "nryan"}, use_listings_cache=True),
    ):
        back = again(fs)
        assert back.client.profiles.get().username == "nryan"
        assert back.dircache.use_listings_cache
    assert again(AgaveFileSystem()).client.profiles.get().username == "wsmith"


def test_a_token_that_is_not_filed_does_not_come_back(
    tenant: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TAPIS_CACHE_DIR", str(tmp_path))
    fs = AgaveFileSystem(api_server=tenant.url, token=str(tenant.client("nryan").token))
    with pytest.raises(AgaveError, match="agavepy login"):
        pickle.loads(pickle.dumps(fs)).ls(SYSTEM)
    tenant.client("nryan").save_configs()
    assert pickle.loads(pickle.dumps(fs)).isdir(SYSTEM)


_ELSEWHERE = """
import fsspec, pickle, sys
with fsspec.open(sys.argv[1], "rt") as file:
    print(file.read(), end="")
fs = pickle.loads(bytes.fromhex(sys.argv[2]))
print(fs.cat_file(sys.argv[1]).decode(), end="")
"""


def test_another_process_finds_it_by_its_protocol_and_restores_the_session(
    ag: Agave, folder: str, tmp_path: Path
) -> None:
    ag.save_configs(str(tmp_path / "session"))
    fs = AgaveFileSystem(client=ag)
    fs.pipe_file(f"{folder}/a", b"tide\n")
    environment = {**os.environ, "TAPIS_CACHE_DIR": str(tmp_path / "session")}
    command = [sys.executable, "-c", _ELSEWHERE, f"agave://{folder}/a", pickle.dumps(fs).hex()]
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert shown.stdout == "tide\ntide\n", shown.stderr
