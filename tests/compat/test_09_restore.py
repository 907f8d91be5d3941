"""Promises 9.x: Agave.restore()."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agavepy.agave import Agave, AgaveError

from .test_08_files import ENTRY, put


@pytest.fixture
def current(home: Path) -> Path:
    return put(home / ".agave" / "current", ENTRY)


@pytest.mark.promise("9.1")
def test_arguments_win_over_the_environment_and_that_over_the_files(
    current: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Agave.restore()._token == "a-1"
    monkeypatch.setenv("TAPIS_BASE_URL", "https://x")
    monkeypatch.setenv("TAPIS_USERNAME", "nryan")
    monkeypatch.setenv("TAPIS_PASSWORD", "p")
    assert Agave.restore()._token == "a-1"
    monkeypatch.setenv("TAPIS_BASE_URL", "https://env")
    monkeypatch.setenv("TAPIS_TOKEN", "env")
    monkeypatch.setenv("TAPIS_API_KEY", "k")
    assert Agave.restore()._token == "env"
    assert Agave.restore(token="arg")._token == "arg"
    assert Agave.restore(token="arg", api_server="https://arg").api_server == "https://arg"


@pytest.mark.promise("9.2")
@pytest.mark.parametrize("wanted", [{"api_key": "k2"}, {"client_name": "second"}, {"tenant_id": "other"}])
def test_a_session_is_chosen_by_key_client_or_tenant(home: Path, wanted: dict[str, str]) -> None:
    second = {**ENTRY, "apikey": "k2", "tenantid": "other", "client_name": "second", "access_token": "a-2"}
    put(home / ".agave" / "current", [ENTRY, second])
    assert Agave.restore(**wanted)._token == "a-2"  # type: ignore[arg-type]
    with pytest.raises(AgaveError, match="No session with"):
        Agave.restore(client_name="third")


@pytest.mark.promise("9.3")
def test_nothing_to_restore_is_an_agave_error() -> None:
    with pytest.raises(AgaveError, match=r"agavepy login"):
        Agave.restore()


@pytest.mark.promise("9.4")
def test_a_file_that_is_not_json_is_kept_aside(current: Path) -> None:
    current.write_text("{not JSON")
    with pytest.raises(AgaveError):
        Agave.restore()
    assert [path.read_text() for path in current.parent.glob("current.bad-*")] == ["{not JSON"]


@pytest.mark.promise("9.5")
def test_a_session_without_a_refresh_token_is_restored(current: Path) -> None:
    current.write_text(json.dumps({name: value for name, value in ENTRY.items() if name != "refresh_token"}))
    ag = Agave.restore()
    assert (ag._token, ag._refresh_token, ag.can_refresh) == ("a-1", None, False)
