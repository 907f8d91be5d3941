"""Promises 2.x: Agave(…)."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any
from unittest import mock

import pytest
import requests

import agavepy.agave
from agavepy.agave import Agave, AgaveError, load_resource
from agavepy.sandbox import Sandbox

from ..recording import Answer, Recorder

TOKEN = Answer(body=json.dumps({"access_token": "a-2", "refresh_token": "r-2", "expires_in": 14400}).encode())


@pytest.mark.promise("2.1")
def test_keywords_become_the_attributes_that_programs_read() -> None:
    ag = Agave(
        token="t", refresh_token="r", jwt="j", jwt_header_name="X-J", api_key="k", expires_at="soon", verify=False
    )
    assert (ag._token, ag._refresh_token, ag.header_name, ag.api_key) == ("t", "r", "X-J", "k")
    assert (ag.expires_at, ag.verify, Agave().verify) == ("soon", False, True)
    with pytest.raises(TypeError):
        Agave("https://x")  # type: ignore[misc]


@pytest.mark.promise("2.2")
def test_keywords_that_nobody_knows_are_ignored() -> None:
    Agave(base_url="x", devurl="", baseurl="y", apikey="k", TAPIS_API_KEY="z")


@pytest.mark.promise("2.3")
@pytest.mark.parametrize("slash", ["", "/"])
def test_the_address_stays_as_it_is_written(recorder: Recorder, slash: str) -> None:
    ag = Agave(api_server=recorder.url + slash, token="t")
    assert ag.api_server == recorder.url + slash
    ag.apps.list()
    assert recorder.last.target == "/apps/v2/"


@pytest.mark.promise("2.4")
def test_without_an_address_there_is_none_unless_a_token_is_given() -> None:
    assert Agave().api_server is None
    assert Agave(token="t").api_server == "https://api.tacc.utexas.edu"


@pytest.mark.promise("2.5")
def test_the_constructor_buys_a_token_with_key_secret_name_and_password(tenant: Sandbox) -> None:
    key, secret = tenant.api_client()
    login = {"api_server": tenant.url, "api_key": key, "api_secret": secret, "username": "nryan"}
    ag = Agave(**login, password="tiptop-password")  # type: ignore[arg-type]
    assert ag.profiles.get().username == "nryan"
    ag.close()
    with pytest.raises(requests.exceptions.HTTPError, match="^400 "):
        Agave(**login, password="wrong")  # type: ignore[arg-type]
    with pytest.raises(AgaveError, match="not logged in"):
        Agave(**login).profiles.get()  # type: ignore[arg-type]


@pytest.mark.promise("2.6")
def test_name_and_password_serve_the_clients_service_and_a_new_client_all_others(tenant: Sandbox) -> None:
    ag = Agave(api_server=tenant.url, username="nryan", password="tiptop-password")
    made = ag.clients.create(body={"clientName": "made-by-2-6"})
    assert (ag.api_key, ag.api_secret) == (made.consumerKey, made.consumerSecret)
    assert ag.profiles.get().username == "nryan"
    ag.clients.delete(clientName="made-by-2-6")
    ag.close()


@pytest.mark.promise("2.7")
def test_a_token_alone_is_enough_and_stays_what_it_is(live: Agave, tenant: Sandbox) -> None:
    ag = Agave(api_server=tenant.url, token=live._token)
    assert ag.profiles.get().username == "nryan"
    assert ag.refresh() == live._token
    ag.close()
    for hopeless in (Agave(api_server=tenant.url), Agave(api_server=tenant.url, token="t", refresh_token="r")):
        with pytest.raises(AgaveError, match="cannot be renewed"):
            hopeless.refresh()


@pytest.mark.promise("2.8")
def test_a_callback_is_told_of_every_token(recorder: Recorder) -> None:
    told: list[Any] = []
    recorder.always = TOKEN
    Agave(
        api_server=recorder.url,
        **dict.fromkeys(("api_key", "api_secret", "username", "password"), "x"),
        token_callback=lambda **info: told.append(info),
        token_username="maria",
    )
    assert (told[0]["access_token"], told[0]["refresh_token"]) == ("a-2", "r-2")
    assert b"grant_type=admin_password" in recorder.last.body
    assert b"token_username=maria" in recorder.last.body
    with pytest.raises(AgaveError, match="callable"):
        Agave(token_callback="no")  # type: ignore[arg-type]


@pytest.mark.promise("2.9")
def test_a_jwt_goes_in_its_header_to_the_address_of_the_operation(recorder: Recorder) -> None:
    Agave(api_server=recorder.url, jwt="j", jwt_header_name="X-JWT-Assertion-dev").apps.list()
    assert (recorder.last.headers["x-jwt-assertion-dev"], recorder.last.target) == ("j", "/apps/v2/")
    with pytest.raises(AgaveError, match="jwt_header_name"):
        Agave(jwt="j")
    recorder.received.clear()
    login = dict.fromkeys(("api_key", "api_secret", "username", "password"), "x")
    assert Agave(api_server=recorder.url, jwt="j", jwt_header_name="X-JWT", **login)._token is None
    assert not recorder.received


@pytest.mark.promise("2.10")
def test_nonces_take_the_place_of_tokens(recorder: Recorder) -> None:
    ag = Agave(api_server=recorder.url, use_nonce=True)
    ag.actors.sendMessage(actorId="a", body={"message": "hi"}, nonce="n")
    assert recorder.last.target == "/actors/v2/a/messages?x-nonce=n"
    assert "authorization" not in recorder.last.headers


@pytest.mark.promise("2.11")
def test_one_dict_of_resources_serves_many_clients_of_any_host(recorder: Recorder) -> None:
    documents = load_resource("https://another.example.org")
    for _ in range(2):
        Agave(api_server=recorder.url, token="t", resources=documents).systems.list()
    assert [each.target for each in recorder.received] == ["/systems/v2/"] * 2


@pytest.mark.promise("2.12")
def test_the_list_of_parameters_has_its_shape() -> None:
    assert ("token", "_token") in [(keyword, attribute) for keyword, _required, attribute, _default in Agave.PARAMS]
    ag = Agave(token="t")
    assert all(hasattr(ag, attribute) for _, _, attribute, _ in Agave.PARAMS)
    assert [*Agave.PARAMS, ("root", False, "root", "/")] == Agave.PARAMS + [("root", False, "root", "/")]  # noqa: RUF005


@pytest.mark.promise("2.13")
def test_init_may_be_called_again(recorder: Recorder) -> None:
    ag = Agave(api_server="http://127.0.0.1:9", token="old")
    ag.systems.list  # looked up before
    ag.__init__(api_server=recorder.url, token="new")  # type: ignore[misc]
    ag.systems.list()
    assert recorder.last.headers["authorization"] == "Bearer new"


class Derived(Agave):
    """As programs derive: attributes first, then the constructor."""

    def __init__(self, **keywords: Any) -> None:
        self.archive = "data"
        self.host = "theirs"
        self.all = None
        super().__init__(**keywords)


@pytest.mark.promise("2.14")
def test_a_subclass_may_set_attributes_before_it_calls_the_constructor(recorder: Recorder) -> None:
    ag = Derived(api_server=recorder.url, token="t")
    assert (ag.archive, ag.host, ag.all, ag._token) == ("data", "theirs", None, "t")
    ag.systems.list()


@pytest.mark.promise("2.15")
def test_the_constructor_and_the_class_can_be_mocked() -> None:
    with mock.patch("agavepy.agave.Agave.__init__", return_value=None):
        ag = agavepy.agave.Agave(token="t")
    assert "list" in dir(ag.files)
    assert ag._token is None
    with pytest.raises(AgaveError, match="which tenant"):
        ag.files.list(systemId="s", filePath="p")
    with mock.patch("agavepy.agave.Agave") as fake:
        fake.return_value.token.token_info = {"access_token": "a"}
        assert agavepy.agave.Agave().token.token_info["access_token"] == "a"


@pytest.mark.promise("2.15")
def test_a_client_whose_constructor_never_ran_can_be_used(recorder: Recorder) -> None:
    ag = Agave.__new__(Agave)
    ag.api_server, ag._token = recorder.url, "t"
    recorder.result({"id": 5})
    assert ag.systems.get(systemId="s") == {"id": 5}
    assert ag.drift
    assert copy.copy(ag)._token == "t"
    assert repr(ag)


@pytest.mark.promise("2.16")
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_is_a_client_of_the_same_session(live: Agave, copied: Any) -> None:
    twin = copied(live)
    assert twin.profiles.get().username == "nryan"
    assert twin._transport() is not live._transport()
    twin._token = "another"
    assert live._token != "another"
    twin.close()
    assert pickle.loads(pickle.dumps(live))._token is None
