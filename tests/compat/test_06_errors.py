"""Promises 6.x: what is raised."""

from __future__ import annotations

import json

import pytest
import requests

from agavepy.agave import Agave, AgaveError, AgaveException
from agavepy.util import json_response, with_refresh

from ..recording import Answer, Recorder

NOT_FOUND = Answer(status=404, body=b'{"status": "error", "message": "No app found matching a", "version": "1"}')
FAULT = {"fault": {"code": 900904, "message": "Invalid Credentials", "description": "Access failure"}}
XML_FAULT = b'<ams:fault xmlns:ams="http://wso2.org/apimanager/security"><ams:code>900903</ams:code></ams:fault>'
TOKEN = Answer(body=json.dumps({"access_token": "a-2", "refresh_token": "r-2", "expires_in": 14400}).encode())


@pytest.mark.promise("6.1")
def test_refusals_are_http_errors_with_their_response(ag: Agave, recorder: Recorder) -> None:
    recorder.always = NOT_FOUND
    with pytest.raises(requests.exceptions.HTTPError) as caught:
        ag.apps.get(appId="a")
    error = caught.value
    assert (error.response.status_code, error.response.json()["version"]) == (404, "1")
    assert error.response.reason == "Not Found"
    assert error.request.url.endswith("/apps/v2/a")


@pytest.mark.promise("6.2")
def test_their_text_begins_as_requests_has_it_and_ends_with_the_servers(
    ag: Agave, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder.always = NOT_FOUND
    plain = f"404 Client Error: Not Found for url: {recorder.url}/apps/v2/a"
    with pytest.raises(requests.exceptions.HTTPError) as caught:
        ag.apps.get(appId="a")
    assert str(caught.value) == f"{plain} - No app found matching a"
    monkeypatch.setenv("TAPIS_PY_VERBOSE_ERRORS", "0")
    with pytest.raises(requests.exceptions.HTTPError) as caught:
        ag.apps.get(appId="a")
    assert str(caught.value) == plain


@pytest.mark.promise("6.3")
def test_a_fault_of_the_gateway_is_an_agave_exception_as_well(ag: Agave, recorder: Recorder) -> None:
    body = {"fault": {"code": 900800, "message": "Message throttled out"}}
    recorder.always = Answer(status=403, body=json.dumps(body).encode())
    with pytest.raises(AgaveException) as caught:
        ag.apps.list()
    assert caught.value.args[0] == body
    assert isinstance(caught.value, requests.exceptions.HTTPError)


@pytest.mark.promise("6.4")
def test_misuse_is_an_agave_error_of_which_programs_derive() -> None:
    class Ours(AgaveError):
        pass

    assert str(Ours("text")) == "text"
    assert not issubclass(AgaveException, AgaveError)
    with pytest.raises(AgaveError, match="not logged in"):
        Agave(api_server="https://x").apps.list()


@pytest.mark.promise("6.5")
def test_trouble_on_the_network_is_an_exception_of_requests() -> None:
    with pytest.raises(requests.ConnectionError):
        Agave(api_server="http://127.0.0.1:9", token="t").meta.addMetadata(body={})


@pytest.mark.promise("6.6")
@pytest.mark.parametrize(
    "refusal",
    [
        Answer(status=401, body=json.dumps(FAULT).encode()),
        Answer(status=401, body=XML_FAULT, content_type="application/xml"),
    ],
)
def test_an_expired_token_is_renewed_once_and_the_call_repeated(recorder: Recorder, refusal: Answer) -> None:
    ag = Agave(api_server=recorder.url, token="a-1", refresh_token="r-1", api_key="k", api_secret="s")
    recorder.script = [refusal, TOKEN]
    ag.apps.list()
    assert [each.target for each in recorder.received] == ["/apps/v2/", "/token", "/apps/v2/"]
    assert recorder.last.headers["authorization"] == "Bearer a-2"
    bare = Agave(api_server=recorder.url, token="a-1")
    recorder.always = refusal
    with pytest.raises(requests.exceptions.HTTPError, match="^401 "):
        bare.apps.list()


@pytest.mark.promise("6.7")
def test_requests_of_ones_own_can_be_renewed_too(recorder: Recorder) -> None:
    ag = Agave(api_server=recorder.url, token="a-1", refresh_token="r-1", api_key="k", api_secret="s")
    recorder.script = [Answer(status=401, body=json.dumps(FAULT).encode()), TOKEN, Answer(body=b'{"a": 1}')]

    @json_response
    def fetch() -> requests.Response:
        with requests.Session() as session:
            return session.get(f"{recorder.url}/x", headers={"Authorization": f"Bearer {ag._token}"}, timeout=30)

    assert with_refresh(ag, fetch) == {"a": 1}
    assert recorder.last.headers["authorization"] == "Bearer a-2"
    recorder.always = NOT_FOUND
    with pytest.raises(requests.exceptions.HTTPError, match="^404 "):
        with_refresh(ag, fetch)
