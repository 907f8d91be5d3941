"""SHA-256 of files: worked out once, and kept with the facts of the file they hold for."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import time
from pathlib import Path

from .clock import Clock
from .disk import is_settled
from .store import Store

_KIND = "checksum"
_CHUNK_BYTES = 1 << 20


class Checksums:
    """
    The checksums of the tenant's files, in base64.

    They are kept by inode, so that they follow a file that moves; date and size tell that they still hold.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def known(self, facts: os.stat_result) -> str:
        """Return the checksum of a file of these facts; empty: nobody has worked it out."""
        kept = self._store.get(_KIND, str(facts.st_ino))
        if kept is None or (kept["mtime_ns"], kept["size"]) != (facts.st_mtime_ns, facts.st_size):
            return ""
        return str(kept["sha256"])

    def keep(self, facts: os.stat_result, sha256: str) -> None:
        """Keep the checksum of a file of these facts."""
        kept = {"mtime_ns": facts.st_mtime_ns, "size": facts.st_size, "sha256": sha256}
        self._store.put(_KIND, str(facts.st_ino), kept, updated=self._clock.now())

    def of(self, handle: int, facts: os.stat_result) -> str:
        """Return the checksum of an open file of these facts; empty: it changes while it is read."""
        return self.known(facts) or self._worked_out(handle, facts)

    def _worked_out(self, handle: int, facts: os.stat_result) -> str:
        settled = is_settled(facts)
        sha256 = _sha256(handle)
        if not is_same(facts, os.fstat(handle)):
            return ""
        if settled:
            self.keep(facts, sha256)
        return sha256


def stamp(path: Path) -> os.stat_result:
    """Date a file that nobody else knows yet to the nanosecond, and return its facts."""
    # The system's own dates are as coarse as its ticks: a later change in the same tick would not show.
    now = time.time_ns()
    os.utime(path, ns=(now, now))
    return path.stat()


def is_same(before: os.stat_result, after: os.stat_result) -> bool:
    """Return whether a file has not changed between two looks at it."""
    return (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)


def header(sha256: str) -> dict[str, str]:
    """Return the header that carries a checksum, RFC 3230; none for an empty one."""
    return {"digest": f"sha-256={sha256}"} if sha256 else {}


def from_header(text: str) -> str:
    """Return the SHA-256 that a ``Digest`` header carries; empty: it carries none."""
    found = re.search(r"(?:^|,)\s*sha-256=([^,\s]*)", text, re.IGNORECASE)
    return found[1] if found else ""


def is_wanted(text: str) -> bool:
    """Return whether a ``Want-Digest`` header asks for SHA-256."""
    found = re.search(r"(?:^|,)\s*sha-256\s*(?:;\s*q=([0-9.]+))?\s*(?:,|$)", text, re.IGNORECASE)
    return found is not None and (found[1] or "1").strip("0.") != ""


def encoded(digest: bytes) -> str:
    """Return a checksum as headers carry it."""
    return base64.b64encode(digest).decode("ascii")


def _sha256(handle: int) -> str:
    found, position = hashlib.sha256(), 0
    while chunk := os.pread(handle, _CHUNK_BYTES, position):
        found.update(chunk)
        position += len(chunk)
    return encoded(found.digest())
