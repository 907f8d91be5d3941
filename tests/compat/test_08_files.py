"""Promises 8.x: the files in which sessions stand."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from agavepy.agave import Agave
from agavepy.sandbox import Sandbox

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


@pytest.mark.promise("8.2")
def test_a_list_in_current_stays_one_and_keeps_the_others(home: Path, recorder: Recorder) -> None:
    mine = {**ENTRY, "tenantid": "mine", "apikey": "k-2", "baseurl": recorder.url}
    current = put(home / ".agave" / "current", [ENTRY, mine])
    recorder.always = TOKEN
    Agave.restore(tenant_id="mine").save_configs()
    written = json.loads(current.read_text())
    assert [each["tenantid"] for each in written] == ["mine", "sd2e"]
    assert written[1] == ENTRY


@pytest.mark.promise("8.3")
@pytest.mark.parametrize("current", [{"current": {"cli": ENTRY}}, {}])
def test_config_json_of_both_kinds_is_read(home: Path, current: dict[str, Any]) -> None:
    put(home / ".agave" / "config.json", {**current, "sessions": {"sd2e": {"nryan": {"cli": ENTRY}}}})
    ag = Agave()
    ag.load_configs()
    assert (ag.client_name, ag.api_server, ag.token) == ("cli", "https://x", "a-1")


@pytest.mark.promise("8.3")
def test_current_counts_where_config_json_names_another_since_other_tools_write_it_alone(home: Path) -> None:
    put(home / ".agave" / "config.json", {"current": {"cli": {**ENTRY, "apikey": "k-2", "access_token": "a-3"}}})
    put(home / ".agave" / "current", ENTRY)
    assert Agave.restore()._token == "a-1"


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


@pytest.mark.promise("8.7")
def test_a_file_that_says_no_more_than_that_certificates_are_checked_leaves_the_environment_its_say(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/ca.pem")
    put(home / ".agave" / "current", {**ENTRY, "verify": True})
    assert Agave.restore().verify == "/ca.pem"
    assert Agave(**Agave._read_clients()[0]).verify == "/ca.pem"


@pytest.mark.promise("8.8")
def test_a_client_made_of_what_a_file_holds_writes_its_new_tokens_there(tenant: Sandbox, home: Path) -> None:
    current = put(home / ".agave" / "current", filed(tenant.client()))
    for _ in range(3):  # programs that begin so each time, as the command line did
        ag = Agave(**Agave._read_clients()[0])
        assert ag.refresh() == json.loads(current.read_text())["access_token"]
        tenant.expire_tokens()
        assert ag.profiles.get().username == "nryan"
        ag.close()
    one, other = (Agave(**Agave._read_current(agave_kwargs=True)) for _ in range(2))
    one.refresh()
    assert other.refresh() == one._token  # redeemed by one of them, once
    login = {"username": "nryan", "password": "tiptop-password", "api_key": one.api_key, "api_secret": one.api_secret}
    again = Agave(api_server=tenant.url, **login)
    assert json.loads(current.read_text())["access_token"] == again._token


@pytest.mark.promise("8.8")
def test_nobody_elses_session_is_written_over_and_none_is_filed_unasked(tenant: Sandbox, home: Path) -> None:
    tenant.client()
    assert not (home / ".agave").exists()
    ag = tenant.client()
    # A portal's key, with which the tokens of many users were bought.
    current = put(home / ".agave" / "current", {**ENTRY, "baseurl": tenant.url, "apikey": ag.api_key})
    client = {"api_key": ag.api_key, "api_secret": ag.api_secret}
    theirs = Agave(api_server=tenant.url, token="t", refresh_token=ag.refresh_token, **client)
    assert theirs.refresh()
    assert json.loads(current.read_text())["access_token"] == "a-1"


@pytest.mark.promise("8.8")
def test_a_program_that_wants_the_files_left_alone_has_them_left_alone(tenant: Sandbox, home: Path) -> None:
    current = put(home / ".agave" / "current", filed(tenant.client()))
    before = current.read_text()
    assert Agave.restore(cache_client=False).refresh()
    assert current.read_text() == before


@pytest.mark.promise("8.8")
def test_the_renewal_of_another_session_leaves_the_current_one_current(tenant: Sandbox) -> None:
    tenant.add_user("maria", "another-password")
    for name in ("nryan", "maria"):
        ag = tenant.client(name)
        ag.save_configs()
    other = Agave.restore(username="nryan")
    assert other.refresh()
    assert Agave.restore().username == "maria"
    assert Agave.restore(username="nryan")._token == other._token


@pytest.mark.promise("8.9")
def test_a_login_by_clients_create_is_filed_as_the_current_session(tenant: Sandbox, home: Path) -> None:
    put(home / ".agave" / "current", {**ENTRY, "baseurl": "http://127.0.0.1:9"})
    ag = Agave(api_server=tenant.url, username="nryan", password="tiptop-password")
    ag.clients.create(body={"clientName": "made-by-8-9"})
    restored = Agave.restore()
    assert (restored._token, restored.client_name, restored.tenant_id) == (ag._token, "made-by-8-9", "sandbox")
    assert Agave._restore_cached(tenant_id="sd2e")._token == "a-1"  # which stood there before
    ag.clients.delete(clientName="made-by-8-9")
    ag.close()


@pytest.mark.promise("8.9")
def test_a_login_at_a_tenant_of_this_machine_does_not_take_the_place_of_a_real_one(tenant: Sandbox, home: Path) -> None:
    put(home / ".agave" / "current", ENTRY)
    ag = Agave(api_server=tenant.url, username="nryan", password="tiptop-password")
    ag.clients.create(body={"clientName": "made-by-8-9-three"})
    assert Agave.restore()._token == "a-1"
    ag.clients.delete(clientName="made-by-8-9-three")
    ag.close()


@pytest.mark.promise("8.9")
def test_a_login_that_cannot_be_filed_is_good_all_the_same(
    tenant: Sandbox, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (home / ".agave").write_text("a file where the folder should be")
    ag = Agave(api_server=tenant.url, username="nryan", password="tiptop-password")
    ag.clients.create(body={"clientName": "made-by-8-9-too"})
    assert "The login is not filed" in caplog.text
    assert ag.profiles.get().username == "nryan"
    ag.clients.delete(clientName="made-by-8-9-too")
    ag.close()


def filed(ag: Agave) -> dict[str, Any]:
    """Return a session as earlier releases wrote it."""
    times = {"created_at": str(ag.created_at), "expires_in": str(ag.expires_in), "expires_at": ag.expires_at}
    tokens = {"access_token": ag._token, "refresh_token": ag.refresh_token, **times}
    client = {"baseurl": ag.api_server, "apikey": ag.api_key, "apisecret": ag.api_secret, "username": ag.username}
    return {**ENTRY, **client, **tokens, "verify": True}


def put(path: Path, content: Any) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))
    return path
