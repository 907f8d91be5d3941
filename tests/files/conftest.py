"""A tenant for the tests of files, and folders on it that no other test knows."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from agavepy.agave import Agave
from agavepy.sandbox import Sandbox

SYSTEM = "sandbox-storage"


@pytest.fixture(scope="session")
def tenant() -> Iterator[Sandbox]:
    with Sandbox(users={"nryan": "a password", "collab": "another"}) as running:
        yield running


@pytest.fixture
def ag(tenant: Sandbox) -> Iterator[Agave]:
    client = tenant.client()
    yield client
    client.close()


@pytest.fixture
def remote(ag: Agave) -> str:
    """The address of a fresh folder."""
    address = f"{SYSTEM}/nryan/{uuid.uuid4().hex}"
    ag.files_mkdir(address)
    return address


@pytest.fixture(autouse=True)
def _quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    from agavepy import transport

    monkeypatch.setattr(transport, "_backoff_s", lambda attempt: 0.0)


def put(ag: Agave, address: str, data: bytes) -> None:
    """Store bytes at ``system/path`` in one plain call."""
    system, _, path = address.partition("/")
    folder, _, name = path.rpartition("/")
    ag.files.importData(systemId=system, filePath=folder, fileToUpload=data, fileName=name)


def got(ag: Agave, address: str) -> bytes:
    """Return the bytes at ``system/path``, by one plain call."""
    system, _, path = address.partition("/")
    return ag.files.download(systemId=system, filePath=path).content


def noise(size: int) -> bytes:
    return os.urandom(size)


def held(folder: Path) -> dict[str, bytes]:
    """Return path → bytes of all that is in a folder of this machine."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if not path.is_dir()}
