"""Open files of a tenant: what is read is one version, what is stored is whole."""

from __future__ import annotations

import gzip
import os
import resource
import uuid
from collections.abc import Iterator

import pytest

from agavepy.errors import AgaveHTTPError
from agavepy.filesystem import AgaveFileSystem
from agavepy.sandbox import Sandbox


@pytest.fixture(scope="module")
def tenant() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def fs(tenant: Sandbox) -> Iterator[AgaveFileSystem]:
    client = tenant.client()
    yield AgaveFileSystem(client=client)
    client.close()


@pytest.fixture
def path(fs: AgaveFileSystem) -> str:
    """A file's place in a fresh folder."""
    folder = f"sandbox-storage/sandbox/{uuid.uuid4().hex}"
    fs.mkdir(folder)
    return f"{folder}/a"


# Reading


def test_a_large_file_is_read_in_blocks_ahead_of_who_reads_it(fs: AgaveFileSystem, tenant: Sandbox, path: str) -> None:
    data = os.urandom(12 << 20)
    fs.pipe_file(path, data)
    with tenant.recorded() as requests_made, fs.open(path) as file:
        assert b"".join(iter(lambda: file.read(100_000), b"")) == data
    asked = [each["operation"] for each in requests_made]
    assert asked.count("files.list") == 1
    assert asked.count("files.download") <= 3


@pytest.mark.parametrize("cache", ["readahead", "bytes", "blockcache", "background", "first", "all", "none"])
def test_every_way_of_caching_reads_the_same(fs: AgaveFileSystem, path: str, cache: str) -> None:
    data = os.urandom(10_000)
    fs.pipe_file(path, data)
    with fs.open(path, block_size=1000, cache_type=cache) as file:
        for start, size in ((9_990, 100), (0, 10), (500, 2_000), (4_999, 1)):
            file.seek(start)
            assert file.read(size) == data[start : start + size]


@pytest.mark.parametrize("later", [b"longer than before", b"short"])
def test_a_file_that_is_changed_after_it_was_opened_is_an_error(fs: AgaveFileSystem, path: str, later: bytes) -> None:
    fs.pipe_file(path, b"as it was")
    with fs.open(path) as file:
        fs.pipe_file(path, later)
        with pytest.raises(OSError, match="Stale"):
            file.read()


def test_a_listing_that_is_out_of_date_cuts_no_file_short(fs: AgaveFileSystem, path: str) -> None:
    remembering = AgaveFileSystem(client=fs.client, use_listings_cache=True)
    fs.pipe_file(path, b"short")
    remembering.ls(path.rpartition("/")[0])
    fs.pipe_file(path, b"longer than before")
    with remembering.open(path) as file, pytest.raises(OSError, match="Stale"):
        file.read()


# Writing

_KINDS = {
    "bytes": {"mode": "wb"},
    "text": {"mode": "w", "encoding": "utf-8"},
    "compressed": {"mode": "wb", "compression": "gzip"},
    "compressed text": {"mode": "wt", "compression": "bz2"},
}


@pytest.mark.parametrize("kind", _KINDS)
def test_a_block_that_fails_stores_nothing(fs: AgaveFileSystem, path: str, kind: str) -> None:
    fs.pipe_file(path, b"old")

    def write_half() -> None:
        with fs.open(path, **_KINDS[kind]) as file:
            file.write("new" if "text" in kind else b"new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_half()
    assert fs.cat_file(path) == b"old"


@pytest.mark.parametrize("kind", _KINDS)
def test_what_cannot_be_stored_is_an_error_when_the_file_is_closed(
    fs: AgaveFileSystem, tenant: Sandbox, path: str, kind: str
) -> None:
    fs.pipe_file(path, b"old")
    file = fs.open(path, **_KINDS[kind])
    file.write("new" if "text" in kind else b"new")
    tenant.fail_next(403, operation="files.importData")
    with pytest.raises(PermissionError) as caught:
        file.close()
    assert isinstance(caught.value.__cause__, AgaveHTTPError)
    assert file.closed
    assert fs.cat_file(path) == b"old"


def test_compressed_files_are_whole_when_they_are_closed(fs: AgaveFileSystem, path: str) -> None:
    with fs.open(f"{path}.gz", "w", compression="infer") as file:
        file.write("größer\n")
    assert gzip.decompress(fs.cat_file(f"{path}.gz")).decode() == "größer\n"
    with fs.open(f"{path}.gz", "rt", compression="infer", encoding="utf-8") as file:
        assert file.read() == "größer\n"


def test_a_full_disk_here_stores_nothing_there(fs: AgaveFileSystem, path: str) -> None:
    file = fs.open(path, "wb", block_size=1 << 20)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, before[1]))
    try:
        with pytest.raises(OSError, match="large"):
            file.write(b"x" * (4 << 20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    file.close()
    assert not fs.exists(path)


def test_a_file_that_cannot_be_read_is_not_appended_to(fs: AgaveFileSystem, tenant: Sandbox, path: str) -> None:
    fs.pipe_file(path, b"old")
    tenant.fail_next(403, operation="files.download")
    with pytest.raises(PermissionError):
        fs.open(path, "ab")
    assert fs.cat_file(path) == b"old"


def test_an_exclusive_file_replaces_none_that_came_meanwhile(fs: AgaveFileSystem, path: str) -> None:
    file = fs.open(path, "xb")
    file.write(b"mine")
    fs.pipe_file(path, b"theirs")
    with pytest.raises(FileExistsError):
        file.close()
    assert fs.cat_file(path) == b"theirs"


def test_a_block_that_fails_within_a_transaction_does_not_keep_the_others_from_being_stored(
    fs: AgaveFileSystem, path: str
) -> None:
    def write_half() -> None:
        with fs.open(path, "wb") as file:
            file.write(b"half")
            raise ZeroDivisionError

    with fs.transaction:
        with pytest.raises(ZeroDivisionError):
            write_half()
        fs.pipe_file(f"{path}2", b"whole")
    assert not fs.exists(path)
    assert fs.cat_file(f"{path}2") == b"whole"


def test_a_transaction_that_fails_stores_nothing(fs: AgaveFileSystem, path: str) -> None:
    def write_all_but_fail() -> None:
        with fs.transaction:
            with fs.open(f"{path}.gz", "w", compression="gzip") as file:
                file.write("new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_all_but_fail()
    assert not fs.exists(f"{path}.gz")
