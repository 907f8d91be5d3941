"""Checksums of files: worked out once, and kept with the facts of the file they hold for."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .clock import Clock
from .disk import is_settled
from .store import Store

with warnings.catch_warnings():
    warnings.simplefilter("ignore", RuntimeWarning)  # where it has no C for this machine; it is not used then
    import google_crc32c

_KIND = "checksum"
_CHUNK_BYTES = 1 << 20


class Crc32c:
    """A CRC-32C (RFC 9260, appendix A) that grows, as hashlib's do."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes | memoryview) -> None:
        """Take the next bytes."""
        self._value = google_crc32c.extend(self._value, bytes(data))

    def encoded(self) -> str:
        """Return it as headers carry it: in hexadecimal digits."""
        return f"{self._value:08x}"


class Sha256:
    """A SHA-256 that grows."""

    def __init__(self) -> None:
        self._value = hashlib.sha256()

    def update(self, data: bytes | memoryview) -> None:
        """Take the next bytes."""
        self._value.update(data)

    def encoded(self) -> str:
        """Return it as headers carry it: in base64."""
        return base64.b64encode(self._value.digest()).decode("ascii")


# RFC 3230's names. CRC-32C takes a tenth of the time, where it does not take a hundred times as long.
ALGORITHMS: Mapping[str, Callable[[], Any]] = {
    "sha-256": Sha256,
    **({"crc32c": Crc32c} if google_crc32c.implementation == "c" else {}),
}
UNASKED = ("sha-256",)


class Checksums:
    """
    The checksums of the tenant's files, as headers carry them.

    They are kept by inode, so that they follow a file that moves; date and size tell that they still hold.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def known(self, facts: os.stat_result, names: Sequence[str]) -> str:
        """Return ``name=value`` of the first algorithm whose checksum is known of a file of these facts, or ""."""
        kept = self._kept(facts)
        return next((f"{name}={kept[name]}" for name in names if name in kept), "")

    def keep(self, facts: os.stat_result, values: Mapping[str, str]) -> None:
        """Keep checksums, by the names of their algorithms, of a file of these facts."""
        kept = {"mtime_ns": facts.st_mtime_ns, "size": facts.st_size, **values}
        self._store.put(_KIND, str(facts.st_ino), kept, updated=self._clock.now())

    def of(self, handle: int, facts: os.stat_result, names: Sequence[str]) -> str:
        """Return what :meth:`known` does, worked out if need be of an open file; empty: it changes meanwhile."""
        return self.known(facts, names) or self._worked_out(handle, facts, names[0])

    def _kept(self, facts: os.stat_result) -> dict[str, str]:
        kept = self._store.get(_KIND, str(facts.st_ino))
        if kept is None or (kept["mtime_ns"], kept["size"]) != (facts.st_mtime_ns, facts.st_size):
            return {}
        return {name: value for name, value in kept.items() if name in ALGORITHMS}

    def _worked_out(self, handle: int, facts: os.stat_result, name: str) -> str:
        settled = is_settled(facts)
        value = _of_file(handle, name)
        if not is_same(facts, os.fstat(handle)):
            return ""
        if settled:
            self.keep(facts, {**self._kept(facts), name: value})
        return f"{name}={value}"


def stamp(path: Path) -> os.stat_result:
    """Date a file that nobody else knows yet to the nanosecond, and return its facts."""
    # The system's own dates are as coarse as its ticks: a later change in the same tick would not show.
    now = time.time_ns()
    os.utime(path, ns=(now, now))
    return path.stat()


def is_same(before: os.stat_result, after: os.stat_result) -> bool:
    """Return whether a file has not changed between two looks at it."""
    return (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)


def header(value: str) -> dict[str, str]:
    """Return the header that carries a checksum, RFC 3230; none for an empty one."""
    return {"digest": value} if value else {}


def from_header(text: str) -> dict[str, str]:
    """Return the checksums that a ``Digest`` header carries, by the names of their algorithms."""
    pairs = (each.strip().partition("=") for each in text.split(","))
    found = {name.lower(): value for name, _, value in pairs if name.lower() in ALGORITHMS}
    if "crc32c" in found:  # zeros at its beginning may be left out
        found["crc32c"] = found["crc32c"].lower().lstrip("0").zfill(8)
    return found


def wanted(text: str) -> list[str]:
    """Return the algorithms that a ``Want-Digest`` header asks for, of those there are, the most wanted first."""
    asked = [_weighed(each) for each in text.split(",")]
    by_weight = sorted(asked, key=lambda each: -each[1])  # stable: equals stay in their order
    return [name for name, weight in by_weight if weight and name in ALGORITHMS]


def _weighed(text: str) -> tuple[str, float]:
    name, _, weight = (each.strip().lower() for each in text.partition(";"))
    found = re.fullmatch(r"q=([01](?:\.[0-9]{0,3})?)", weight or "q=1")
    return name, float(found[1]) if found else 0.0


def _of_file(handle: int, name: str) -> str:
    found, position = ALGORITHMS[name](), 0
    while chunk := os.pread(handle, _CHUNK_BYTES, position):
        found.update(chunk)
        position += len(chunk)
    return str(found.encoded())
