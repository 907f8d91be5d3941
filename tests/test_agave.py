"""The facade: constructor, credentials, and what it never shows."""

from __future__ import annotations

import json
import logging
import pickle
from typing import Any

import pytest

import agavepy
from agavepy.agave import Agave, AgaveError
from agavepy.errors import AgaveHTTPError

from .recording import Answer, Received, Recorder

TOKEN = {"scope": "default", "token_type": "bearer", "expires_in": 14400, "refresh_token": "r-1", "access_token": "a-1"}
SECRETS = {"password": "p-secret", "api_secret": "s-secret", "token": "t-secret", "refresh_token": "r-secret"}


def test_it_is_reached_from_the_package_too() -> None:
    assert agavepy.Agave is Agave
    assert agavepy.agave.Agave is Agave
    assert agavepy.AgaveError is AgaveError
    assert callable(agavepy.tenants.api_server_by_id)
    assert {"Agave", "agave"} <= set(dir(agavepy))
    with pytest.raises(AttributeError, match="nothing"):
        agavepy.nothing


def test_arguments_become_the_attributes_programs_read() -> None:
    ag = Agave(api_server="https://x/", token="t", tenant_id="sd2e", client_name="c", verify=False, expires_at="soon")
    assert (ag.api_server, ag._token, ag.tenant_id, ag.client_name, ag.verify) == (
        "https://x/",
        "t",
        "sd2e",
        "c",
        False,
    )
    assert ag.token == "t"


def test_unknown_keywords_are_ignored() -> None:
    Agave(base_url="x", TAPIS_API_KEY="y")


def test_positional_arguments_are_refused() -> None:
    with pytest.raises(TypeError):
        Agave("https://x")  # type: ignore[misc]


def test_the_slash_at_the_end_of_the_address_does_not_matter(recorder: Recorder) -> None:
    Agave(api_server=f"{recorder.url}/", token="t").systems.list()
    assert recorder.last.target == "/systems/v2/"


@pytest.mark.parametrize(
    ("keywords", "hint"),
    [
        ({"token_callback": 5}, "token_callback must be callable"),
        ({"jwt": "j"}, "jwt needs jwt_header_name"),
    ],
)
def test_arguments_that_cannot_work_are_refused(keywords: Any, hint: str) -> None:
    with pytest.raises(AgaveError, match=hint):
        Agave(**keywords)


def test_a_call_without_a_login_says_how_to_get_one(recorder: Recorder) -> None:
    with pytest.raises(AgaveError, match=r"apps\.list: not logged in at http.*pass token="):
        Agave(api_server=recorder.url).apps.list()
    with pytest.raises(AgaveError, match="clients.list asks for a name and a password"):
        Agave(api_server=recorder.url).clients.list()
    with pytest.raises(AgaveError, match="which tenant"):
        Agave(username="a", password="b").clients.list()
    assert not recorder.received


def test_key_secret_name_and_password_buy_a_token_at_once(recorder: Recorder) -> None:
    recorder.script = [Answer(body=json.dumps(TOKEN).encode())]
    ag = Agave(api_server=recorder.url, username="nryan", password="p&w", api_key="k", api_secret="s")
    asked = recorder.last
    assert (asked.verb, asked.target) == ("POST", "/token")
    assert asked.headers["authorization"] == "Basic azpz"
    assert asked.body == b"grant_type=password&username=nryan&password=p%26w&scope=PRODUCTION"
    ag.systems.list()
    assert recorder.last.headers["authorization"] == "Bearer a-1"
    assert (ag._refresh_token, ag.expires_in) == ("r-1", 14400)


def test_a_token_that_is_given_is_used_as_it_is(recorder: Recorder) -> None:
    Agave(api_server=recorder.url, token="t", username="u", password="p", api_key="k", api_secret="s")
    assert not recorder.received


def test_a_refused_password_surfaces_from_the_constructor(recorder: Recorder) -> None:
    refusal = {"error": "invalid_grant", "error_description": "Provided Authorization Grant is invalid"}
    recorder.always = Answer(status=400, body=json.dumps(refusal).encode())
    with pytest.raises(AgaveHTTPError, match="^400 Client Error: .*Provided Authorization Grant is invalid"):
        Agave(api_server=recorder.url, username="u", password="p", api_key="k", api_secret="s")


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"access_token": ""}'])
def test_an_answer_that_is_no_token_says_so(recorder: Recorder, body: bytes) -> None:
    recorder.always = Answer(body=body)
    with pytest.raises(AgaveError, match="something that is not a token"):
        Agave(api_server=recorder.url, username="u", password="p", api_key="k", api_secret="s")


def test_a_password_is_not_sent_in_clear_text_to_another_machine() -> None:
    with pytest.raises(AgaveError, match=r"http://agave\.example\.org is not https"):
        Agave(api_server="http://agave.example.org", username="u", password="p", api_key="k", api_secret="s")


def test_a_new_oauth_client_is_used_from_then_on(recorder: Recorder) -> None:
    def answer(received: Received) -> Answer:
        made = {"name": "cli", "consumerKey": "k", "consumerSecret": "s"}
        body = TOKEN if received.target == "/token" else {"status": "success", "result": made}
        return Answer(body=json.dumps(body).encode())

    recorder.script = [answer, answer]
    ag = Agave(api_server=recorder.url, username="u", password="p")
    ag.clients.create(body={"clientName": "cli"})
    assert (ag.api_key, ag.api_secret, ag.client_name, ag._token) == ("k", "s", "cli", "a-1")


def test_a_jwt_goes_in_its_own_header(recorder: Recorder) -> None:
    Agave(api_server=recorder.url, jwt="j", jwt_header_name="X-JWT-Assertion-sandbox").systems.list()
    assert recorder.last.headers["x-jwt-assertion-sandbox"] == "j"
    assert "authorization" not in recorder.last.headers


def test_nonce_mode_sends_no_authorization(recorder: Recorder) -> None:
    Agave(api_server=recorder.url, use_nonce=True).actors.get(actorId="a", nonce="n")
    assert "authorization" not in recorder.last.headers


def test_settings_may_change_at_any_time(recorder: Recorder) -> None:
    ag = Agave(api_server="http://127.0.0.1:9", token="old")
    ag.api_server, ag._token = recorder.url, "new"
    ag.systems.list()
    assert recorder.last.headers["authorization"] == "Bearer new"


def test_no_secret_is_shown_logged_or_pickled(recorder: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        ag = Agave(api_server=recorder.url, username="nryan", **SECRETS)  # type: ignore[arg-type]
        ag.systems.list()
        ag.clients.list()
    shown = f"{ag!r} {ag} {caplog.text} {pickle.dumps(ag)!r} {ag.systems!r} {ag.systems.list!r}"
    assert "nryan" in shown
    for secret in SECRETS.values():
        assert secret not in shown


def test_a_pickled_client_says_where_and_who() -> None:
    ag = pickle.loads(pickle.dumps(Agave(api_server="https://x", username="u", tenant_id="t", token="secret")))
    assert (ag.api_server, ag.username, ag.tenant_id, ag._token) == ("https://x", "u", "t", None)


def test_a_closed_client_opens_again(ag: Agave) -> None:
    ag.systems.list()
    ag.close()
    ag.systems.list()


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1:8000", "ftp://x", "api.example.org", " https://x", "https://x:99999", "https://x:abc", "https://[::1"],
)
def test_an_address_that_cannot_be_one_says_so(address: str) -> None:
    with pytest.raises(AgaveError, match="an address begins with https://") as caught:
        Agave(api_server=address, token="t").systems.list()
    assert repr(address) in str(caught.value)


@pytest.mark.parametrize("token", ["t-hidden\n", "t-\rhidden", "t-h\u00efdden"])
def test_a_token_that_no_header_can_hold_is_not_shown(recorder: Recorder, token: str) -> None:
    with pytest.raises(AgaveError, match=r"strip\(\) the secret") as caught:
        Agave(api_server=recorder.url, token=token).systems.list()
    assert token.strip() not in str(caught.value)


def test_a_slip_in_a_keyword_is_seen_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    Agave(pasword="x", base_url="y")
    assert "ignores the keyword 'pasword'. Did you mean 'password'?" in caplog.text
    assert "base_url" not in caplog.text


@pytest.mark.parametrize("address", ["ftp://me:hidden@x", "http://me:hidden@x", "https://me:hidden@127.0.0.1:9"])
def test_an_error_does_not_show_the_password_of_an_address(address: str) -> None:
    ag = Agave(api_server=address, username="u", password="hidden")
    for call in (ag.systems.list, ag.clients.list):
        with pytest.raises((AgaveError, OSError)) as caught:
            call()
        assert "hidden" not in str(caught.value)


def test_passwords_in_addresses_are_not_shown_or_pickled() -> None:
    ag = Agave(api_server="https://u:p-secret@x", token="t", proxies={"https": "http://u:p-secret@proxy"})
    assert "p-secret" not in f"{ag!r} {pickle.dumps(ag)!r}"
