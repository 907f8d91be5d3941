"""Fixtures of all tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agavepy.agave import Agave

from .recording import Recorder, recording

SETTINGS = (
    *(
        f"TAPIS_{name}"
        for name in ("BASE_URL", "TOKEN", "REFRESH_TOKEN", "API_KEY", "API_SECRET", "USERNAME", "PASSWORD")
    ),
    *(f"TAPIS_{name}" for name in ("TENANT_ID", "TENANTS_URL", "CACHE_DIR", "DEFAULT_TENANT_ID")),
    "TAPIS_DEFAULT_VERIFY_SSL",
    "TAPIS_PY_VERBOSE_ERRORS",
    "AGAVE_CACHE_DIR",
    "AGAVEPY_KEYRING",
    "TAPIS_PY_SHOW_CURL",
    "AGAVEPY_RESOURCES",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "http_proxy",
    "https_proxy",
)


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home of nobody"))  # logins are filed there


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with recording() as running:
        yield running


@pytest.fixture
def ag(recorder: Recorder) -> Iterator[Agave]:
    """A client of the recorder."""
    client = Agave(api_server=recorder.url, token="the-token", username="nryan", password="pa:ss")
    yield client
    client.close()
