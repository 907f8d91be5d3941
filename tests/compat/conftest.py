"""A tenant, and a home folder in which nothing of this machine is found."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agavepy import sessions
from agavepy.agave import Agave
from agavepy.sandbox import Sandbox

ACTOR = f"{sys.executable} {Path(__file__).parent / 'programs' / 'reactor.py'}"  # the program of an image


@pytest.fixture(scope="session")
def tenant() -> Iterator[Sandbox]:
    with Sandbox(users={"nryan": "tiptop-password"}, images={"nryan/reactor": ACTOR}) as running:
        yield running


@pytest.fixture
def live(tenant: Sandbox) -> Iterator[Agave]:
    """A client of the tenant that is logged in."""
    client = tenant.client()
    yield client
    client.close()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(sessions, "agpy_paths", lambda: [home / ".agpy"])
    monkeypatch.setattr("agavepy.cached.agpy_paths", lambda: [home / ".agpy"])
    return home
