"""API paths lead to the places they name, and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agavepy.sandbox.api import BadRequest, NotFound
from agavepy.sandbox.disk import Disk


def system(root: str = "/", home: str | None = "/home/ann", *, id: str = "data") -> dict[str, Any]:
    return {"id": id, "storage": {"rootDir": root, "homeDir": home}}


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


@pytest.mark.parametrize(
    ("root", "home", "path", "place"),
    [
        ("/", "/home/ann", "", "home/ann"),
        ("/", "/home/ann", "data/a.txt", "home/ann/data/a.txt"),
        ("/", "/home/ann", "/data/a.txt", "data/a.txt"),
        ("/srv", "/ann", "x", "srv/ann/x"),
        ("/srv", "/ann", "/x", "srv/x"),
        ("/", None, "x", "x"),
        ("/", "home/ann/", "x/", "home/ann/x"),
        ("/", "/home/ann", "../bob/x", "home/bob/x"),
        ("/", "/home/ann", "//a//b/", "a/b"),
        ("/", "/home/ann", "a\\b", "home/ann/a\\b"),
        ("/", "/home/ann", " ", "home/ann/ "),
    ],
)
def test_paths_are_relative_to_home_and_with_a_slash_to_root(
    disk: Disk, root: str, home: str | None, path: str, place: str
) -> None:
    assert disk.locate(system(root, home), path) == disk.systems / "data" / place


def test_api_paths_start_below_root_dir(disk: Disk) -> None:
    described = system("/srv", "/ann")
    assert disk.api_path(described, disk.locate(described, "a/b")) == "/ann/a/b"
    assert disk.api_path(described, disk.locate(described, "/")) == "/"


@pytest.mark.parametrize("path", ["..", "../../..", "/..", "a/../../../..", "/a/../../x"])
def test_a_path_that_leaves_the_root_is_not_found(disk: Disk, path: str) -> None:
    with pytest.raises(NotFound):
        disk.locate(system(home="/home"), path if path != ".." else "../..")


def test_a_link_inside_is_followed(disk: Disk) -> None:
    described = system(home=None)
    (disk.root_of(described) / "a").mkdir(parents=True)
    (disk.root_of(described) / "link").symlink_to("a")
    assert disk.real(disk.locate(described, "link/x")) == disk.root_of(described) / "a/x"


@pytest.mark.parametrize(
    "path",
    [
        *("", "a", "a/file", "a/file/x", "a/none", "none/x/y", "link", "link/file", "link/none", "link/inner/file"),
        *("a/inner", "a/inner/file", "circle", "circle/x", "nowhere", "nowhere/x", "a/../link/file", "n" * 300),
    ],
)
def test_links_are_resolved_as_the_system_does(disk: Disk, path: str) -> None:
    top = disk.systems / "data"
    (top / "a").mkdir(parents=True)
    (top / "a" / "file").touch()
    for name, target in {"link": "a", "a/inner": "../a", "circle": "circle", "nowhere": "none"}.items():
        (top / name).symlink_to(target)
    assert disk.real(top / path) == Path(os.path.realpath(top / path))


@pytest.mark.parametrize("target", ["/etc", "../other", "../../incoming"])
@pytest.mark.parametrize("path", ["link", "link/passwd", "inner/../link/passwd"])
def test_a_link_that_leaves_the_root_is_not_found(disk: Disk, target: str, path: str) -> None:
    described = system(home=None)
    disk.prepare(described)
    disk.prepare(system(home=None, id="other"))
    (disk.root_of(described) / "link").symlink_to(target)
    with pytest.raises(NotFound):
        disk.locate(described, path)


def test_a_link_that_leaves_can_itself_be_named(disk: Disk) -> None:
    described = system(home=None)
    disk.prepare(described)
    (disk.root_of(described) / "link").symlink_to("/etc")
    assert disk.locate(described, "link", follow=False).is_symlink()


@pytest.mark.parametrize("path", ["a\0b", "a" * 256, "ü" * 128, "/".join(["abcdefg"] * 600), "\ud800"])
def test_a_name_no_file_can_have_is_refused(disk: Disk, path: str) -> None:
    with pytest.raises(BadRequest):
        disk.locate(system(), path)


@settings(max_examples=300, deadline=None)
@given(
    st.text(alphabet=st.characters(blacklist_categories=["Cs"], blacklist_characters="/\0"), min_size=1, max_size=60)
)
def test_every_name_reaches_the_file_of_that_name(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    disk = Disk(tmp_path_factory.getbasetemp() / "any-name")
    place = disk.locate(system(), f"/folder/{name}")
    if name in (".", ".."):
        assert place in (disk.systems / "data/folder", disk.systems / "data")
    else:
        assert (place.parent, place.name) == (disk.systems / "data/folder", name)


def test_a_copied_tree_merges_and_overwrites(disk: Disk, tmp_path: Path) -> None:
    source, destination = tmp_path / "from", tmp_path / "to"
    (source / "deep/er").mkdir(parents=True)
    (source / "deep/er/a").write_text("new")
    (destination / "deep/er").mkdir(parents=True)
    (destination / "deep/er/a").write_text("old")
    (destination / "deep/b").write_text("kept")
    disk.copy_tree(source, destination)
    assert (destination / "deep/er/a").read_text() == "new"
    assert (destination / "deep/b").read_text() == "kept"


def test_a_copied_tree_takes_nothing_from_outside_and_skips_pipes(disk: Disk, tmp_path: Path) -> None:
    source, destination = tmp_path / "from", tmp_path / "to"
    source.mkdir()
    (tmp_path / "secret").write_text("secret")
    (source / "a").write_text("a")
    (source / "inside").symlink_to("a")
    (source / "outside").symlink_to(tmp_path / "secret")
    os.mkfifo(source / "pipe")
    disk.copy_tree(source, destination)
    assert (destination / "inside").read_text() == "a"
    assert not (destination / "inside").is_symlink()
    assert (destination / "outside").is_symlink()
    assert not os.path.lexists(destination / "pipe")


def test_a_tree_is_not_copied_into_itself(disk: Disk, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(BadRequest):
        disk.copy_tree(tmp_path / "a", tmp_path / "a/b/c")


def test_files_belong_to_the_owner_alone_and_keep_their_execute_bit(disk: Disk, tmp_path: Path) -> None:
    source = tmp_path / "tool"
    source.write_text("#!/bin/sh")
    source.chmod(0o755)
    disk.copy_file(source, tmp_path / "copy")
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o700
    source.chmod(0o644)
    disk.place_file(source, tmp_path / "placed")
    assert (tmp_path / "placed").stat().st_mode & 0o777 == 0o600
    assert disk.make_folders(tmp_path / "x/y")[1].stat().st_mode & 0o777 == 0o700


def test_removing_takes_locked_folders_and_never_follows_links(disk: Disk, tmp_path: Path) -> None:
    doomed, other = disk.systems / "doomed", tmp_path / "other"
    (doomed / "locked/inner").mkdir(parents=True)
    (doomed / "locked/inner/a").write_text("a")
    other.mkdir()
    (other / "kept").write_text("kept")
    (doomed / "link").symlink_to(other)
    (doomed / "locked").chmod(0)
    disk.remove(doomed)
    assert not doomed.exists()
    assert (other / "kept").exists()
    assert not list(disk.incoming.iterdir())


def test_removing_what_is_not_there_says_so(disk: Disk) -> None:
    with pytest.raises(FileNotFoundError):
        disk.remove(disk.systems / "nothing")


def test_a_folder_is_not_made_where_a_file_is_in_the_way(disk: Disk) -> None:
    (disk.systems / "file").write_text("x")
    for path in ("file", "file/a", "file/a/b"):
        with pytest.raises(BadRequest):
            disk.make_folders(disk.systems / path)


def test_what_a_crash_left_arriving_is_gone_at_the_next_start(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.new_incoming().write_text("half")
    disk.new_incoming().mkdir()
    assert list(Disk(tmp_path).incoming.iterdir()) == []
