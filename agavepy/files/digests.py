"""Checksums of whole files, as servers announce them (RFC 3230), by algorithms that are worth their time."""

from __future__ import annotations

import base64
import binascii
import hashlib
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # where it has no C for this machine; it is not used then
        import google_crc32c
except ImportError:  # it comes with the sandbox only: no Agave server is known to have CRC-32C
    google_crc32c = None  # type: ignore[assignment]

_HAS_CRC32C = google_crc32c is not None and google_crc32c.implementation == "c"
_OF_HASHLIB = {"sha-256": "sha256", "sha-512": "sha512", "md5": "md5"}
_PREFERRED = (*(["crc32c"] if _HAS_CRC32C else []), *_OF_HASHLIB)
WANTED = "crc32c, sha-256;q=0.5" if _HAS_CRC32C else "sha-256"  # of Want-Digest


class Digest(NamedTuple):
    """A checksum that a file should have."""

    algorithm: str
    value: bytes


class _Crc32c:
    """A CRC-32C (RFC 9260, appendix A), to be used as a hash of hashlib's."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes) -> None:
        self._value = google_crc32c.extend(self._value, data)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


def new(algorithm: str) -> Any:
    """Return a checksum of nothing yet, with hashlib's ``update()`` and ``digest()``."""
    return _Crc32c() if algorithm == "crc32c" else hashlib.new(_OF_HASHLIB[algorithm])


def offered(headers: Mapping[str, str]) -> Digest | None:
    """Return the checksum of a ``Digest`` header that takes the least time; None: there is none to be checked."""
    pairs = (each.strip().partition("=") for each in headers.get("Digest", "").split(","))
    texts = {name.lower(): text for name, _, text in pairs}
    values = ((name, _decoded(name, texts[name])) for name in _PREFERRED if name in texts)
    return next((Digest(name, value) for name, value in values if value is not None), None)


def _decoded(algorithm: str, text: str) -> bytes | None:
    """Return a checksum's bytes; None: it is none."""
    try:
        if algorithm == "crc32c":  # in hexadecimal digits, where zeros at the beginning may be left out
            return int(text, 16).to_bytes(4, "big")
        return base64.b64decode(text, validate=True)
    except (ValueError, OverflowError, binascii.Error):
        return None
