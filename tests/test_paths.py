"""Quoting: what a caller names is what the server is asked for."""

from __future__ import annotations

import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agavepy.errors import UnsafePath
from agavepy.paths import query_string, quote_path, quote_segment, redact

names = st.text(st.characters(codec="utf-8", exclude_characters="/%"), min_size=1).filter(
    lambda name: name not in (".", "..")
)


@pytest.mark.parametrize(
    ("given_path", "sent"),
    [
        ("a/b.txt", "a/b.txt"),
        ("/a//b/", "/a//b/"),
        ("a b#c?d;e+f", "a%20b%23c%3Fd%3Be%2Bf"),
        ("données/日本", "donn%C3%A9es/%E6%97%A5%E6%9C%AC"),
        ("already%20quoted%2Fby/us", "already%20quoted%2Fby/us"),
        ("100%/50%zz", "100%25/50%25zz"),
        ("", ""),
        ("...", "..."),
        ("a\nb\\c", "a%0Ab%5Cc"),
        ("caf\udce9", "caf%E9"),  # a name that is not UTF-8 on disk
    ],
)
def test_a_path_keeps_its_slashes_and_triplets_and_quotes_the_rest(given_path: str, sent: str) -> None:
    assert quote_path(given_path) == sent


@pytest.mark.parametrize("path", ["..", ".", "a/../b", "./a", "a/.", "%2e%2E/x", ".%2e", "a%2f..%2fb", "a/%2e%2e%2fb"])
def test_segments_that_would_name_another_target_are_refused(path: str) -> None:
    with pytest.raises(UnsafePath, match="another target"):
        quote_path(path)


def test_a_single_segment_quotes_its_slashes() -> None:
    assert quote_segment("a/b") == "a%2Fb"


@given(st.lists(names, min_size=1))
def test_unquoting_what_was_quoted_gives_the_name_back(parts: list[str]) -> None:
    path = "/".join(parts)
    assert urllib.parse.unquote(quote_path(path)) == path


@given(names)
def test_a_percent_sign_quoted_beforehand_arrives_as_one(name: str) -> None:
    literal = f"100%{name}"
    assert urllib.parse.unquote(quote_path(urllib.parse.quote(literal, safe=""))) == literal


@given(st.text(st.characters(codec="utf-8")))
def test_only_characters_that_need_no_quoting_are_left(text: str) -> None:
    try:
        sent = quote_path(text)
    except UnsafePath:
        return
    assert set(sent) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%/")


def test_a_query_is_quoted_too() -> None:
    assert (
        query_string([("q", '{"a": "b&c"}'), ("id.like", "*x*")]) == "?q=%7B%22a%22%3A%20%22b%26c%22%7D&id.like=%2Ax%2A"
    )
    assert query_string([]) == ""


def test_redacting_hides_what_lets_somebody_in() -> None:
    url = "https://bob:hunter2@host:1/actors/v2?x-nonce=secret1&limit=5&access_token=secret2"
    assert redact(url) == "https://host:1/actors/v2?x-nonce=…&limit=5&access_token=…"
