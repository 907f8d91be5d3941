"""Listings of big folders: each page cheap, and all pages of one listing consistent."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agavepy.sandbox import ManualClock, Sandbox, folder_names

from .conftest import Http
from .test_files import Storage, private_storage, real


@pytest.fixture
def disk(tenant: Sandbox, http: Http) -> Storage:
    """A system with the files 00 … 99."""
    made = private_storage(http)
    made.list()
    for number in range(100):
        (real(tenant, made, "") / f"{number:02d}").touch()
    return made


def settle(folder: Path) -> None:
    """Let the folder be unchanged for a while, as far as its date tells."""
    old = time.time() - 60
    os.utime(folder, (old, old))


def pages(disk: Storage, *, limit: int = 10) -> Iterator[list[str]]:
    """Yield the names of each page until one is short."""
    offset = 0
    while True:
        names = disk.names(limit=limit, offset=offset)
        yield names
        if len(names) < limit:
            return
        offset += limit


def flat(several: Iterator[list[str]]) -> list[str]:
    return [name for names in several for name in names]


def read_folders(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return the list of folders whose names are read from now on."""
    seen: list[Path] = []
    listdir = os.listdir
    monkeypatch.setattr(folder_names.os, "listdir", lambda folder: (seen.append(folder), listdir(folder))[1])
    return seen


@pytest.mark.parametrize("limit", [1, 7, 10, 100, 101, 102, 250])
def test_all_pages_together_are_the_folder(disk: Storage, limit: int) -> None:
    assert flat(pages(disk, limit=limit)) == [".", *(f"{number:02d}" for number in range(100))]


def test_the_names_are_read_once_for_all_pages(tenant: Sandbox, disk: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(real(tenant, disk, ""))
    seen = read_folders(monkeypatch)
    flat(pages(disk))
    assert len(disk.names(offset=37, limit=5)) == 5
    flat(pages(disk))
    assert seen == [real(tenant, disk, "")]


def test_a_file_that_stays_is_listed_once_whatever_is_renamed_meanwhile(tenant: Sandbox, disk: Storage) -> None:
    seen: list[str] = []
    for number, page in enumerate(pages(disk)):
        seen += page
        disk.act(f"{number:02d}", "rename", f"zz{number:02d}")  # was listed; its new name is yet to come
        disk.act(f"{90 + number % 10:02d}" if number < 10 else "zz00", "rename", f"00-{number:02d}")  # and backwards
    stays = [f"{number:02d}" for number in range(11, 90)]
    assert [name for name in seen if name in stays] == stays
    assert len(seen) == len(set(seen))


def test_a_page_is_full_though_files_on_it_are_gone(disk: Storage) -> None:
    disk.names(limit=10)
    for number in range(9, 30):
        disk.delete(f"{number:02d}")
    assert disk.names(limit=10, offset=10) == [f"{number:02d}" for number in range(30, 40)]
    assert disk.names(limit=10, offset=20) == [f"{number:02d}" for number in range(40, 50)]


def test_a_listing_that_begins_anew_shows_what_has_changed(tenant: Sandbox, disk: Storage) -> None:
    disk.names(limit=10)
    disk.put("", b"x", name="-first")
    assert disk.names(limit=3) == [".", "-first", "00"]
    settle(real(tenant, disk, ""))
    disk.names(limit=3)
    disk.put("", b"x", name="-again")
    assert disk.names(limit=3, offset=1) == ["-again", "-first", "00"]


def test_after_a_while_a_page_is_of_the_folder_as_it_is(clock: ManualClock, disk: Storage) -> None:
    disk.names(limit=10)
    disk.put("", b"x", name="-first")
    assert disk.names(limit=1, offset=10) == ["09"]
    clock.advance(61)
    assert disk.names(limit=1, offset=10) == ["08"]


def test_who_may_no_longer_read_the_folder_gets_no_further_page(disk: Storage, other: Http) -> None:
    disk.share("", "maria", "READ")
    theirs = Storage(other, disk.id)
    assert len(theirs.names(limit=10)) == 10
    disk.share("", "maria", "NONE", status=200)
    theirs.list(limit=10, offset=10, status=404)


@pytest.mark.parametrize("bound", [{"_MOST_NAMES": 150}, {"_MOST_SNAPSHOTS": 1}])
def test_few_names_are_kept(
    tenant: Sandbox, disk: Storage, monkeypatch: pytest.MonkeyPatch, bound: dict[str, int]
) -> None:
    for name, most in bound.items():
        monkeypatch.setattr(folder_names, name, most)
    kept = folder_names.FolderNames(tenant.state.clock)
    folder = real(tenant, disk, "")
    for user in ("a", "b", "c"):
        kept.keep(user, folder, kept.snapshot(user, folder, 0), offset=10, position=9)
    assert [user for user, _ in kept._kept] == ["c"]
