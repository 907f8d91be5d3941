"""Promises 3.x: what outsiders read and call on a client."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agavepy.agave import Agave
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
    renewed = token.refresh()
    assert renewed == live._token != token


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
    assert Agave._read_sessions() == {}
    folder = str(home / ".agave")
    assert Agave.tapis_cache_path() == folder
    assert Agave.agpy_path() == Agave.tapis_current_path() == Agave.agavecurrent_path() == f"{folder}/current"
    assert Agave.tapis_sessions_path() == f"{folder}/config.json"
    assert Agave().restore()._token == "a"  # on an instance, too
    assert Agave._restore_direct("tok", "https://y").api_server == "https://y"


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
