"""What others do to files while they are transferred: whole files or errors, never half ones."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agavepy.agave import Agave
from agavepy.errors import AgaveHTTPError, TransferError
from agavepy.sandbox import Sandbox

from .conftest import got, held, noise, put

MEGABYTE = 1 << 20
LARGE_BYTES = 24 * MEGABYTE  # more than the buffers between client and tenant hold


@pytest.fixture
def other(tenant: Sandbox) -> Iterator[Agave]:
    client = tenant.client()
    yield client
    client.close()


def once(act: Callable[[], object]) -> Callable[..., None]:
    """Return a function to be told of progress that acts when some of the file has come."""
    left = [act]

    def told(done: int, total: int | None, name: str) -> None:
        if done > 4 * MEGABYTE and left:
            left.pop()()

    return told


def test_a_file_that_is_overwritten_while_it_is_downloaded_is_the_old_or_the_new_one(
    ag: Agave, other: Agave, remote: str, tmp_path: Path
) -> None:
    old, new = noise(LARGE_BYTES), noise(LARGE_BYTES)
    put(ag, f"{remote}/a", old)
    ag.files_download(f"{remote}/a", tmp_path / "a", progress=once(lambda: put(other, f"{remote}/a", new)))
    assert (tmp_path / "a").read_bytes() in (old, new)


def test_a_file_that_is_deleted_while_it_is_downloaded_comes_whole_or_not_at_all(
    ag: Agave, other: Agave, remote: str, tmp_path: Path
) -> None:
    data = noise(LARGE_BYTES)
    put(ag, f"{remote}/a", data)
    deleting = once(lambda: other.files_delete(f"{remote}/a"))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        failure = pool.submit(ag.files_download, f"{remote}/a", tmp_path / "a", progress=deleting).exception()
    assert failure is None or getattr(failure, "status_code", None) == 404
    assert held(tmp_path).get("a", data) == data
    with pytest.raises(AgaveHTTPError, match="404"):
        ag.files_download(f"{remote}/a", tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_of_two_uploads_of_one_name_one_wins_whole(ag: Agave, other: Agave, remote: str, tmp_path: Path) -> None:
    contents = [noise(3 * MEGABYTE) for _ in range(2)]
    for number, data in enumerate(contents):
        (tmp_path / str(number)).write_bytes(data)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for _ in range(5):
            list(pool.map(lambda n: (ag, other)[n].files_upload(tmp_path / str(n), f"{remote}/a"), range(2)))
            assert got(ag, f"{remote}/a") in contents


def test_files_that_are_renamed_while_a_folder_is_downloaded_come_whole_or_are_named(
    ag: Agave, other: Agave, remote: str, tmp_path: Path
) -> None:
    for number in range(60):
        put(ag, f"{remote}/{number:03}", f"content of {number:03}".encode())
    is_over = threading.Event()

    def rename() -> None:
        for number in range(59, 0, -2):
            if not is_over.is_set():
                other.files_move(f"{remote}/{number:03}", f"{remote}/moved-{number:03}")

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        renaming = pool.submit(rename)
        failure = pool.submit(ag.files_download, remote, tmp_path / "down").exception()
        is_over.set()
        renaming.result()
    assert failure is None or isinstance(failure, TransferError)
    assert {each.status_code for each in getattr(failure, "failures", {}).values()} <= {404}
    files = held(tmp_path / "down")
    assert {f"{number:03}" for number in range(0, 60, 2)} <= files.keys()
    assert all(data == f"content of {name[-3:]}".encode() for name, data in files.items())


def test_a_folder_that_is_deleted_while_it_is_listed_is_an_error(ag: Agave, other: Agave, remote: str) -> None:
    for folder in ("a", "b"):
        ag.files_mkdir(f"{remote}/{folder}")
    walk = ag.files_walk(remote)
    assert next(walk)[1] == ["a", "b"]
    other.files_delete(f"{remote}/b")
    assert next(walk)[0] == f"{remote}/a"
    with pytest.raises(AgaveHTTPError, match="404"):
        next(walk)


def test_an_upload_for_which_the_tenant_has_no_room_is_an_error_and_the_old_file_stays(
    ag: Agave, remote: str, tmp_path: Path
) -> None:
    resource = pytest.importorskip("resource")
    put(ag, f"{remote}/a", b"old")
    (tmp_path / "a").write_bytes(noise(LARGE_BYTES))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8 * MEGABYTE, hard))
    try:
        with pytest.raises(AgaveHTTPError, match="507 .*no room"):
            ag.files_upload(tmp_path / "a", f"{remote}/a")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert got(ag, f"{remote}/a") == b"old"
    ag.files_upload(tmp_path / "a", f"{remote}/a")
    assert got(ag, f"{remote}/a") == (tmp_path / "a").read_bytes()


def test_a_log_that_grows_while_it_is_sent_is_stored_as_far_as_it_went(ag: Agave, remote: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(noise(LARGE_BYTES))
    before = log.read_bytes()

    def grow() -> None:
        with log.open("ab") as file:
            file.write(b"more")

    ag.files_upload(log, f"{remote}/log", progress=once(grow))
    assert got(ag, f"{remote}/log") == before


def test_an_upload_that_the_user_interrupts_leaves_what_was_there(ag: Agave, remote: str, tmp_path: Path) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    put(ag, f"{remote}/a", b"old")
    (tmp_path / "a").write_bytes(noise(LARGE_BYTES))
    with pytest.raises(KeyboardInterrupt):
        ag.files_upload(tmp_path / "a", f"{remote}/a", progress=once(interrupt))
    assert got(ag, f"{remote}/a") == b"old"
    ag.files_upload(tmp_path / "a", f"{remote}/a")
    assert got(ag, f"{remote}/a") == (tmp_path / "a").read_bytes()
