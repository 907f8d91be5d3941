"""URL paths and query strings: every character of a value reaches the server as it was given."""

from __future__ import annotations

import functools
import re
import urllib.parse
from collections.abc import Iterable

from .errors import UnsafePath

NONCE_IN_PATH = re.compile(r"(/nonces/|/postits/v2/)([^/?]+)")
_SECRET = re.compile(
    r"pass(word|wd|phrase)|secret|token|nonce|credential|jwt|assertion|cookie|authorization|keys?$|^pass$"
)
_TRIPLET = re.compile(r"%[0-9A-Fa-f]{2}")
_PLAIN = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9_.~-]*")  # needs no quoting and no care, as most segments


def quote_path(value: str) -> str:
    """
    Return a path quoted segment by segment.

    Slashes stay, leading and doubled ones too (``//`` after a system means from its root), and so do the valid
    ``%XX`` triplets of a caller who quoted beforehand. Everything else is quoted.

    :raises UnsafePath: a segment is ``.`` or ``..``, plainly or quoted: it would name another target.
    """
    return "/".join(map(quote_segment, value.split("/")))


def quote_segment(value: str) -> str:
    """Return one path segment quoted, slashes included; valid ``%XX`` triplets are kept."""
    if _PLAIN.fullmatch(value):
        return value
    if {".", ".."}.intersection(urllib.parse.unquote(value).split("/")):
        raise UnsafePath(f"the segment {value!r} would name another target")
    pieces = _TRIPLET.split(value)
    triplets = [*_TRIPLET.findall(value), ""]
    return "".join(_quote(piece) + triplet for piece, triplet in zip(pieces, triplets, strict=True))


def _quote(text: str) -> str:
    # surrogateescape: names that are not UTF-8 on disk come from os.listdir that way.
    return urllib.parse.quote(text, safe="", errors="surrogateescape")


def query_string(pairs: Iterable[tuple[str, str]]) -> str:
    """Return ``pairs`` as the query of a URL, with its question mark; empty for no pairs."""
    encoded = urllib.parse.urlencode(list(pairs), quote_via=urllib.parse.quote, safe="")
    return f"?{encoded}" if encoded else ""


@functools.lru_cache(64)
def is_address(text: str) -> bool:
    """Tell whether ``text`` is the address of a server: http or https, a host, a port that can be one."""
    try:
        parts = urllib.parse.urlsplit(text)
        return text == text.strip() and parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets that do not match, a port that is no number
        return False


def without_login(text: str) -> str:
    """Return what should be an address without the name and password that may stand in it."""
    scheme, slashes, rest = text.rpartition("://")
    return scheme + slashes + rest.rpartition("@")[2]


def redact(url: str) -> str:
    """Return ``url`` without its secrets: user information, nonces in the path, nonces and tokens in the query."""
    parts = urllib.parse.urlsplit(url)
    path = NONCE_IN_PATH.sub(r"\1…", parts.path)
    query = "&".join(map(_pair_without_secret, parts.query.split("&")))
    return urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], path=path, query=query))


def _pair_without_secret(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    return f"{name}=…" if equals and is_secret(name) else pair


def is_secret(name: str) -> bool:
    """Tell whether what goes by this name lets somebody in, or may."""
    return _SECRET.search(re.sub(r"[-_.\s]", "", name).lower()) is not None
