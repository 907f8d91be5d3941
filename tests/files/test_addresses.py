"""Addresses: which place a text stands for."""

from __future__ import annotations

import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agavepy.errors import AgaveError, UnsafePath
from agavepy.files.addresses import parse
from agavepy.paths import quote_path

NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda name: name not in (".", "..")
)


@pytest.mark.parametrize(
    ("text", "system", "path"),
    [
        ("data/a/b.txt", "data", "a/b.txt"),
        ("/data/a/b.txt", "data", "a/b.txt"),
        ("agave://data/a/b.txt", "data", "a/b.txt"),
        ("data", "data", ""),
        ("/data", "data", ""),
        ("data/", "data", ""),
        ("data//", "data", "/"),
        ("data//etc/x", "data", "/etc/x"),
        ("agave://data//etc/x", "data", "/etc/x"),
        ("data/a//b/", "data", "a/b"),
    ],
)
def test_one_slash_counts_from_the_home_folder_and_two_from_the_root(text: str, system: str, path: str) -> None:
    assert parse(text)[:2] == (system, path)


@pytest.mark.parametrize("text", ["data/", "data", "data/a/", "data//"])
def test_a_slash_at_the_end_means_a_folder(text: str) -> None:
    assert parse(text).is_folder
    assert not parse("data/a").is_folder


@pytest.mark.parametrize("text", ["", "/", "agave://", "agave:///x"])
def test_an_address_without_a_system_says_so(text: str) -> None:
    with pytest.raises(AgaveError, match="names no system"):
        parse(text)


@pytest.mark.parametrize("text", ["data/../x", "data/./x", "data/a/..", "../x", "data//.."])
def test_dots_would_name_another_target(text: str) -> None:
    with pytest.raises(UnsafePath, match="would name another target"):
        parse(text)


@pytest.mark.parametrize("flavour", [pathlib.PurePosixPath, pathlib.PureWindowsPath])
def test_a_path_object_of_any_platform_is_an_address(flavour: type[pathlib.PurePath]) -> None:
    assert parse(flavour("data", "reads", "a.fastq")) == parse("data/reads/a.fastq")


def test_bytes_are_no_address() -> None:
    with pytest.raises(TypeError, match="an address is text"):
        parse(b"data/x")  # type: ignore[arg-type]


@given(st.lists(NAMES, min_size=1, max_size=4))
def test_every_character_of_a_name_is_its_own(names: list[str]) -> None:
    from urllib.parse import unquote

    address = parse("/".join(["data", *names]))
    assert address.path == "/".join(names)
    assert [unquote(each) for each in quote_path(address.keywords["filePath"]).split("/")] == names


def test_a_child_and_its_folder_are_each_others() -> None:
    for text in ("data", "data//", "data/a", "data//a/b"):
        folder = parse(text)
        assert folder.child("x").folder[:2] == folder[:2]
        assert folder.child("x").name == "x"
