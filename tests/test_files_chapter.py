"""The documentation's Files chapter, line by line at a terminal, against a tenant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from agavepy.agave import Agave
from agavepy.sandbox import Sandbox

from .test_authentication_chapter import table, typed

NAME, PASSWORD = "your-username", "correct horse"
SYSTEM = "data-tacc-user"


@pytest.fixture(scope="module")
def tenant() -> Iterator[Sandbox]:
    with Sandbox(users={NAME: PASSWORD, "collab": "another"}, tenant_id="sd2e") as running:
        ag = running.client()
        storage = {"protocol": "LOCAL", "host": "localhost", "rootDir": "/", "homeDir": "/"}
        for system in (SYSTEM, "data-community", "system-id"):
            ag.systems.add(body={"id": system, "name": system, "type": "STORAGE", "storage": storage})
        ag.close()
        yield running


@pytest.fixture
def ag(tenant: Sandbox, tmp_path: Path) -> Iterator[Agave]:
    """The session that the chapter begins with, saved in the home folder, and the files that it speaks of."""
    client = tenant.client()
    client.save_configs(tmp_path / ".agave")
    for folder in (".slurm", "apps", "benchmarks", "dir", "tests", "new_one"):
        client.files_mkdir(f"{SYSTEM}/{folder}")
    for name, size in {"bigfile": 1 << 20, "SP1.fq": 22471, "SP1-copy.fq": 22471, "somefile": 24}.items():
        client.files.importData(systemId=SYSTEM, filePath="", fileToUpload=b"x" * size, fileName=name)
    yield client
    _, folders, files = next(client.files_walk(SYSTEM))
    for name in (*folders, *files):
        client.files_delete(f"{SYSTEM}/{name}")
    client.close()


def shown(tenant: Sandbox, home: Path, *lines: str) -> str:
    """Return what the terminal shows after the chapter's first lines and these."""
    begin = ["from agavepy.agave import Agave", "agave = ag = Agave()", "agave.load_configs()"]
    return typed(tenant, home, "\n".join([*begin, *lines]))


def test_a_listing_fills_the_terminal_with_columns(tenant: Sandbox, ag: Agave, tmp_path: Path) -> None:
    text = shown(tenant, tmp_path, f'agave.files_list("/{SYSTEM}")')
    assert text.split() == [
        *("./", ".slurm/", "apps/", "benchmarks/", "bigfile", "dir/", "new_one/", "somefile"),
        *("SP1-copy.fq", "SP1.fq", "tests/"),
    ]
    first, second = ([found.start() for found in re.finditer(r"\S+", line)] for line in text.splitlines()[:2])
    assert second == first[: len(second)]


def test_a_long_listing_has_a_line_each(tenant: Sandbox, ag: Agave, tmp_path: Path) -> None:
    lines = shown(tenant, tmp_path, f'agave.files_list("{SYSTEM}/", long_format=True)').splitlines()
    assert all(re.fullmatch(r"[d-][r-][w-][x-] +\d+ [A-Z][a-z]{2} [ \d]\d \d\d:\d\d \S+", line) for line in lines)
    assert [line.split()[-1] for line in lines[:3]] == ["./", ".slurm/", "apps/"]
    assert [line.split()[:2] for line in lines if line.endswith(" SP1.fq")] == [["-rwx", "22471"]]


def test_download_upload_copy_move_delete_and_mkdir_say_nothing(tenant: Sandbox, ag: Agave, tmp_path: Path) -> None:
    (tmp_path / "data.ext").write_bytes(b"cool")
    text = shown(
        tenant,
        tmp_path,
        f'agave.files_download("{SYSTEM}/SP1.fq", "{tmp_path}/SP1.fq")',
        f'agave.files_upload("{tmp_path}/data.ext", "{SYSTEM}/cool.ext")',
        f'agave.files_copy("{SYSTEM}/cool.ext", "{SYSTEM}/copy.ext")',
        f'agave.files_move("{SYSTEM}/copy.ext", "{SYSTEM}/dir/file.ext")',
        f'agave.files_delete("{SYSTEM}/somefile")',
        f'agave.files_mkdir("{SYSTEM}/new_dir")',
    )
    assert text == ""
    assert (tmp_path / "SP1.fq").stat().st_size == 22471
    tree = {place: files for place, _, files in ag.files_walk(SYSTEM)}
    assert tree[f"{SYSTEM}/dir"] == ["file.ext"]
    assert tree[f"{SYSTEM}/new_dir"] == []
    assert "cool.ext" in tree[f"{SYSTEM}/"]
    assert "somefile" not in tree[f"{SYSTEM}/"]


def test_an_import_comes_from_another_system(tenant: Sandbox, ag: Agave, tmp_path: Path) -> None:
    ag.files.importData(systemId="data-community", filePath="", fileToUpload=b"community", fileName="test.txt")
    assert shown(tenant, tmp_path, 'agave.files_import("agave://data-community/test.txt", "system-id/")') == ""
    tenant.run_until_idle()
    assert ag.files.download(systemId="system-id", filePath="test.txt").content == b"community"


def test_permissions_are_listed_given_and_taken_away(tenant: Sandbox, ag: Agave, tmp_path: Path) -> None:
    ag.files_mkdir("system-id/some-dir/below")
    text = shown(
        tenant,
        tmp_path,
        'ag.files_pems_list("system-id/some-dir")',
        'ag.files_pems_update("system-id/some-dir", "collab", "ALL", recursive=True)',
        'ag.files_pems_list("system-id/some-dir/below")',
        'agave.files_pems_delete("system-id/some-dir")',
        'ag.files_pems_list("system-id/some-dir")',
    )
    owner, shared, again = (f"USER{part}" for part in text.split("USER")[1:])
    assert table(owner) == [["USER", "READ", "WRITE", "EXEC"], [NAME, "yes", "yes", "yes"]]
    assert ["collab", "yes", "yes", "yes"] in table(shared)
    assert table(again) == table(owner)


def test_a_history_tells_who_what_when(tenant: Sandbox, ag: Agave, tmp_path: Path) -> None:
    ag.files_mkdir("system-id/path/to/dir")
    ag.files_pems_update("system-id/path/to/dir", "collab", "ALL")
    ag.files_pems_update("system-id/path/to/dir", "collab", "NONE")
    header, *events = table(shown(tenant, tmp_path, 'ag.files_history("system-id/path/to/dir")'))
    assert header == ["USER", "EVENT", "DATE", "DESCRIPTION"]
    assert [event[:2] for event in events] == [
        [NAME, "CREATED"],
        [NAME, "PERMISSION_GRANT"],
        [NAME, "PERMISSION_REVOKE"],
    ]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", event[2]) for event in events)
    expected = re.escape(f"New directory created at {tenant.url}/files/v2/media/system/system-id//path/to/dir")
    assert re.fullmatch(expected.replace(re.escape(tenant.url), "URL"), events[0][3])
