"""Checksums that servers announce: which one is taken, and what is none."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys

import pytest

from agavepy.files import digests

DOG = "0a72a4df"  # of b"dog", the example of RFC 3230's registry
SHA256 = "sha-256=" + base64.b64encode(hashlib.sha256(b"dog").digest()).decode()
MD5 = "md5=" + base64.b64encode(hashlib.md5(b"dog").digest()).decode()


@pytest.mark.parametrize("text", [DOG, "a72a4df", "A72A4DF", "00000a72a4df"])
def test_a_crc32c_is_hexadecimal(text: str) -> None:
    found = digests.offered({"Digest": f"crc32c={text}"})
    checksum = digests.new("crc32c")
    checksum.update(b"do")
    checksum.update(b"g")
    assert found == ("crc32c", checksum.digest())


@pytest.mark.parametrize(
    ("header", "algorithm"),
    [
        (f"{SHA256},CRC32c={DOG}", "crc32c"),
        (f"unixsum=30637, {SHA256}", "sha-256"),
        (f"crc32c=dog, {SHA256}", "sha-256"),
        (MD5, "md5"),
    ],
)
def test_of_several_the_one_is_taken_that_takes_the_least_time(header: str, algorithm: str) -> None:
    found = digests.offered({"Digest": header})
    assert found is not None
    assert found.algorithm == algorithm
    checksum = digests.new(algorithm)
    checksum.update(b"dog")
    assert checksum.digest() == found.value


@pytest.mark.parametrize("header", ["", "crc32c", "crc32c=", "crc32c=-1", "crc32c=123456789", "sha-256=?", "adler32=1"])
def test_what_is_no_checksum_is_passed_over(header: str) -> None:
    assert digests.offered({"Digest": header}) is None


def test_without_the_library_nobody_asks_for_it() -> None:
    code = """
import sys
sys.modules["google_crc32c"] = None
from agavepy.files import digests
print(digests.WANTED, digests.offered({"Digest": "crc32c=1"}))
"""
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert shown == "sha-256 None\n"
