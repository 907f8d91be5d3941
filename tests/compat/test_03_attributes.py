"""Promises 3.x: what outsiders read and call on a client."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from unittest import mock

import pytest

from agavepy.agave import Agave, AgaveError
from agavepy.sandbox import Sandbox


@pytest.mark.promise("3.1")
def test_what_was_not_given_is_none() -> None:
    ag = Agave()
    for name in ("_token", "username", "api_key", "api_secret", "tenant_id", "client_name", "expires_at", "created_at"):
        assert getattr(ag, name, "missing") is None


@pytest.mark.promise("3.2")
def test_the_token_is_text_and_what_programs_ask_it_for(live: Agave) -> None:
    token = live.token
    assert token
    assert token == live._token == token.token_info["access_token"] == live.tokens()["access_token"]
    assert (token.username, token.api_server) == ("nryan", live.api_server)
    assert Agave().token is None
    assert (token.parent, token.token_url) == (live, f"{live.api_server}/token")
    token.username = live.username
    for name in ("password", "api_key", "api_secret", "token_username", "verify"):
        assert getattr(token, name) == getattr(live, name)
    assert copy.deepcopy({"token": token})["token"] == token
    renewed = token.refresh()
    assert renewed == live._token != token


@pytest.mark.promise("3.2")
def test_what_is_not_known_of_a_token_is_none() -> None:
    ag = Agave(api_server="https://x", token="t", refresh_token="r")
    assert ag.token is not None
    assert (ag.token.token_info["access_token"], ag.token.token_info["expires_in"]) == ("t", None)
    assert Agave(api_server="https://x").tokens() == {
        "access_token": None, "refresh_token": None, "token_type": "bearer", "scope": "default"
    }  # fmt: skip


@pytest.mark.promise("3.2")
def test_a_stand_in_for_the_token_is_given_back(live: Agave) -> None:
    before = live.token
    with mock.patch.object(live, "token", mock.Mock(token_info={"access_token": "theirs"})):
        assert live.token.token_info["access_token"] == "theirs"  # type: ignore[union-attr]
    assert live.token == before


@pytest.mark.promise("3.3")
def test_the_names_of_earlier_clients_still_answer(live: Agave) -> None:
    assert live.host == live.api_server.split("//")[1]  # type: ignore[union-attr]
    assert live.all is live.clients_resource is live
    assert live.can_refresh
    assert live.expiration == int(live.created_at + live.expires_in)
    live.refresh_aris()
    bare = Agave()
    assert (bare.all, bare.clients_resource, bare.resources, bare.expiration) == (None, None, None, None)
    bare.host = "theirs"
    assert bare.host == "theirs"


@pytest.mark.promise("3.4")
def test_set_client_goes_on_with_the_client_it_is_given(tenant: Sandbox) -> None:
    ag = Agave(api_server=tenant.url, username="nryan", password="tiptop-password")
    ag.set_client(*tenant.api_client())
    assert ag.profiles.get().username == "nryan"
    ag.close()


@pytest.mark.promise("3.5")
def test_to_dict_gives_the_keywords_of_the_same_session(live: Agave) -> None:
    known = live.to_dict()
    assert "password" not in known
    again = Agave(**known)
    assert again.profiles.get().username == "nryan"
    again.close()


@pytest.mark.promise("3.6")
def test_the_class_methods_for_cached_sessions_are_there(home: Path) -> None:
    entry = {"tenantid": "t", "baseurl": "https://x", "apikey": "k", "apisecret": "s", "access_token": "a"}
    (home / ".agave").mkdir()
    (home / ".agave" / "current").write_text(json.dumps({**entry, "username": "u", "refresh_token": "r"}))
    assert Agave._read_current(agave_kwargs=True)["api_server"] == "https://x"
    assert Agave._read_current()["baseurl"] == "https://x"
    assert [each["token"] for each in Agave._read_clients()] == ["a"]
    assert Agave._restore_cached(tenant_id="t").username == "u"
    assert Agave._read_sessions() == {"sessions": {}}
    folder = str(home / ".agave")
    assert Agave.tapis_cache_path() == folder
    assert Agave.agpy_path() == Agave.tapis_current_path() == Agave.agavecurrent_path() == f"{folder}/current"
    assert Agave.tapis_sessions_path() == f"{folder}/config.json"
    assert Agave().restore()._token == "a"  # on an instance, too
    assert Agave._restore_direct("https://y", "tok").api_server == "https://y"


@pytest.mark.promise("3.6")
def test_where_nothing_is_filed_programs_find_no_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGAVE_CACHE_DIR", str(home / "new"))
    for read in (Agave._read_current, Agave._read_clients):
        with pytest.raises(FileNotFoundError, match="No session in") as caught:
            read()
        assert isinstance(caught.value, AgaveError)
    assert Agave._read_sessions()["sessions"] == {}
    assert Agave.agpy_path() == str(home / "new" / "current")
    assert Path(Agave.tapis_cache_path()).is_dir()


@pytest.mark.promise("3.6")
def test_what_a_file_does_not_say_is_none_among_the_keywords(home: Path) -> None:
    (home / ".agave").mkdir()
    (home / ".agave" / "current").write_text(json.dumps({"baseurl": "https://x", "access_token": "a", "apikey": "k"}))
    keywords = Agave._read_current(agave_kwargs=True)
    assert (keywords["api_server"], keywords["token"], keywords["tenant_id"], keywords["username"]) == (
        "https://x", "a", None, None
    )  # fmt: skip
    assert "verify" not in keywords
    assert Agave(**keywords)._token == "a"


@pytest.mark.promise("3.6")
def test_a_bare_client_is_restored_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AgaveError, match="TAPIS_BASE_URL"):
        Agave._restore_direct()
    monkeypatch.setenv("TAPIS_BASE_URL", "https://y")
    monkeypatch.setenv("TAPIS_TOKEN", "tok")
    assert Agave._restore_direct()._token == "tok"


@pytest.mark.promise("3.7")
def test_dir_lists_services_and_operations() -> None:
    assert {"apps", "files", "jobs", "actors", "clients"} <= set(dir(Agave()))
    assert {"list", "importData"} <= set(dir(Agave().files))


@pytest.mark.promise("3.8")
def test_a_name_that_is_no_service_is_an_error_at_once() -> None:
    ag = Agave()
    with pytest.raises(AttributeError, match="Did you mean 'files'"):
        ag.fies
    assert not hasattr(ag, "nothing")
    assert getattr(ag, "nothing", None) is None
