"""Promises 8.x: the files in which sessions stand."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from agavepy.agave import Agave

from ..recording import Answer, Recorder

ENTRY = {
    "tenantid": "sd2e",
    "baseurl": "https://x",
    "devurl": "",
    "apisecret": "s",
    "apikey": "k",
    "username": "nryan",
    "access_token": "a-1",
    "refresh_token": "r-1",
    "created_at": "1539708516",
    "expires_in": 14400,
    "expires_at": "Tue Oct 16 20:48:36 UTC 2018",
}
AGPY = {"api_server": "https://y", "api_key": "k9", "api_secret": "s", "token": "a-9", "refresh_token": "r-9"}
TOKEN = Answer(body=json.dumps({"access_token": "a-2", "refresh_token": "r-2", "expires_in": 14400}).encode())


@pytest.mark.promise("8.1")
def test_current_is_one_object_with_the_keys_of_the_command_line(home: Path, recorder: Recorder) -> None:
    current = put(home / ".agave" / "current", {**ENTRY, "baseurl": recorder.url, "proxies": {}, "use_nonce": False})
    recorder.always = TOKEN
    Agave.restore().refresh()
    written = json.loads(current.read_text())
    assert (written["access_token"], written["refresh_token"], written["apikey"]) == ("a-2", "r-2", "k")
    assert (written["proxies"], written["use_nonce"]) == ({}, False)
    assert stat.S_IMODE(current.stat().st_mode) == 0o600


@pytest.mark.promise("8.2")
def test_a_list_in_current_is_read_too(home: Path) -> None:
    put(home / ".agave" / "current", [ENTRY, {**ENTRY, "tenantid": "other", "access_token": "a-3"}])
    assert Agave.restore()._token == "a-1"
    assert Agave.restore(tenant_id="other")._token == "a-3"


@pytest.mark.promise("8.3")
@pytest.mark.parametrize("current", [{"current": {"cli": ENTRY}}, {}])
def test_config_json_of_both_kinds_is_read(home: Path, current: dict[str, Any]) -> None:
    put(home / ".agave" / "config.json", {**current, "sessions": {"sd2e": {"nryan": {"cli": ENTRY}}}})
    ag = Agave()
    ag.load_configs()
    assert (ag.client_name, ag.api_server, ag.token) == ("cli", "https://x", "a-1")


@pytest.mark.promise("8.4")
def test_an_agpy_list_is_read_and_written_in_place(home: Path, recorder: Recorder) -> None:
    foreign = {**AGPY, "api_key": "k10", "note": "theirs"}
    agpy = put(home / ".agpy", [foreign, {**AGPY, "api_server": recorder.url, "image": "mine"}])
    recorder.always = TOKEN
    ag = Agave.restore(api_key="k9")
    assert ag._token == "a-9"
    ag.token.refresh()  # type: ignore[union-attr]
    kept, written = json.loads(agpy.read_text())
    assert kept == foreign
    assert (written["token"], written["refresh_token"], written["image"]) == ("a-2", "r-2", "mine")
    assert "access_token" not in written
    assert Agave.restore(api_key="k9")._token == "a-2"


@pytest.mark.promise("8.5")
@pytest.mark.parametrize(
    "times",
    [
        {"created_at": 1539708516, "expires_in": "14400"},
        {"created_at": "1539708516", "expires_in": 14400},
        {"created_at": "", "expires_in": "", "expires_at": "Tue Oct 16 20:48:36 UTC 2018"},
    ],
)
def test_times_are_read_as_text_and_as_numbers(home: Path, times: dict[str, Any]) -> None:
    put(home / ".agave" / "current", {**ENTRY, **times})
    assert Agave.restore().expiration == 1539708516 + 14400


@pytest.mark.promise("8.6")
def test_a_folder_that_is_not_there_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGAVE_CACHE_DIR", str(tmp_path / "new" / "cache"))
    Agave(api_server="https://x", token="t", tenant_id="sd2e", username="u", client_name="c").save_configs()
    config = json.loads((tmp_path / "new" / "cache" / "config.json").read_text())
    assert config["current"]["c"] == config["sessions"]["sd2e"]["u"]["c"]
    assert json.loads((tmp_path / "new" / "cache" / "current").read_text())["access_token"] == "t"


@pytest.mark.promise("8.7")
def test_what_a_file_says_of_certificates_counts(home: Path) -> None:
    put(home / ".agave" / "current", {**ENTRY, "verify": False})
    assert Agave.restore().verify is False
    assert Agave.restore(verify="/ca.pem").verify == "/ca.pem"  # type: ignore[arg-type]
    put(home / ".agave" / "current", ENTRY)
    assert Agave.restore().verify is True


def put(path: Path, content: Any) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))
    return path
