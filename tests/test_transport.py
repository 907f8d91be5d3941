"""The network: retries, timeouts, certificates, redirects, and answers that break."""

from __future__ import annotations

import email.utils
import io
import logging
import pickle
import socket
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from agavepy.agave import Agave
from agavepy.auth import header
from agavepy.errors import AgaveError, AgaveException, AgaveHTTPError, AgavepyError, GatewayFault
from agavepy.multipart import MultipartBody
from agavepy.transport import ATTEMPTS, LONGEST_ERROR_BODY, Request, Transport

from .recording import Answer, Recorder, recording

BUSY = Answer(status=503, body=b"busy", content_type="text/plain")


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def transport(recorder: Recorder, slept: list[float]) -> Iterator[Transport]:
    transport = Transport(recorder.url, sleep=slept.append)
    yield transport
    transport.close()


def request(recorder: Recorder, method: str = "GET", **fields: Any) -> Request:
    return Request(operation="x.y", method=method, url=f"{recorder.url}/a", headers={}, **fields)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_will_pass_is_tried_again(
    transport: Transport, recorder: Recorder, slept: list[float], method: str, status: int
) -> None:
    recorder.script = [Answer(status=status, body=b""), Answer(status=status, body=b"")]
    assert transport.send(request(recorder, method)).status_code == 200
    assert len(recorder.received) == 3
    assert 0.3 <= slept[0] <= 0.6 < slept[1] <= 1.2


def test_waits_are_jittered(transport: Transport, recorder: Recorder, slept: list[float]) -> None:
    recorder.always = BUSY
    for _ in range(3):
        transport.send(request(recorder))
    assert len(set(slept)) == len(slept) == 3 * (ATTEMPTS - 1)


@pytest.mark.parametrize("status", [400, 401, 404, 409, 500, 501])
def test_what_will_not_pass_is_not_tried_again(transport: Transport, recorder: Recorder, status: int) -> None:
    recorder.always = Answer(status=status, body=b"")
    assert transport.send(request(recorder)).status_code == status
    assert len(recorder.received) == 1


def test_a_post_is_never_repeated(transport: Transport, recorder: Recorder) -> None:
    recorder.always = BUSY
    assert transport.send(request(recorder, "POST")).status_code == 503
    assert len(recorder.received) == 1


def test_retry_after_in_seconds_is_obeyed(transport: Transport, recorder: Recorder, slept: list[float]) -> None:
    recorder.script = [Answer(status=429, body=b"", headers=(("Retry-After", "7"),))]
    transport.send(request(recorder))
    assert slept == [7.0]


def test_retry_after_as_a_date_is_obeyed(transport: Transport, recorder: Recorder, slept: list[float]) -> None:
    date = email.utils.formatdate(time.time() - 100, usegmt=True)
    recorder.script = [Answer(status=503, body=b"", headers=(("Retry-After", date),))]
    transport.send(request(recorder))
    assert slept == [0.0]


def test_a_server_that_asks_for_an_hour_gets_its_answer_reported(
    transport: Transport, recorder: Recorder, slept: list[float]
) -> None:
    recorder.always = Answer(status=429, body=b"", headers=(("Retry-After", "3600"),))
    assert transport.send(request(recorder)).status_code == 429
    assert slept == []


def test_a_body_that_breaks_off_is_fetched_again(transport: Transport, recorder: Recorder) -> None:
    recorder.script = [Answer(body=b"half", length=100)]
    recorder.always = Answer(body=b"whole")
    assert transport.send(request(recorder)).content == b"whole"


def test_a_body_that_always_breaks_off_is_an_error_that_says_so(transport: Transport, recorder: Recorder) -> None:
    recorder.always = Answer(body=b"half", length=100)
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match=rf"x\.y: no answer from .*{ATTEMPTS} attempts"):
        transport.send(request(recorder))


def test_an_upload_is_sent_whole_again(transport: Transport, recorder: Recorder) -> None:
    recorder.script = [BUSY]
    transport.send(request(recorder, "PUT", body=MultipartBody([], "f", b"data", file_name=lambda: "n")))
    first, second = recorder.received
    assert first.body == second.body
    assert b"data" in first.body


def test_a_stream_without_a_length_goes_out_in_chunks(transport: Transport, recorder: Recorder) -> None:
    class Pipe:
        def __init__(self) -> None:
            self.parts = [b"from ", b"a pipe"]

        def read(self, size: int = -1) -> bytes:
            return self.parts.pop(0) if self.parts else b""

    transport.send(request(recorder, "POST", body=MultipartBody([], "f", Pipe(), file_name=lambda: "n")))
    assert recorder.last.headers["transfer-encoding"] == "chunked"
    assert b"from a pipe" in recorder.last.body


# Redirects and credentials


def test_a_redirect_within_our_host_keeps_the_token(transport: Transport, recorder: Recorder) -> None:
    recorder.script = [Answer(status=307, body=b"", headers=(("Location", "/elsewhere"),))]
    transport.send(request(recorder, auth=header("Authorization", "Bearer the-token")))
    assert recorder.last.headers["authorization"] == "Bearer the-token"


def test_a_redirect_to_another_port_loses_every_credential(transport: Transport, recorder: Recorder) -> None:
    with recording() as stranger:
        recorder.script = [Answer(status=307, body=b"", headers=(("Location", f"{stranger.url}/x"),))]
        headers = {"X-My-Own-Assertion": "secret", "Cookie": "secret", "Range": "bytes=0-1"}
        transport.send(request(recorder, auth=header("Authorization", "Bearer the-token"))._replace(headers=headers))
        assert "authorization" not in stranger.last.headers
        assert "secret" not in str(stranger.last.headers)
        assert stranger.last.headers["range"] == "bytes=0-1"


@pytest.mark.parametrize("status", [301, 302])
def test_a_verb_is_never_turned_into_another(transport: Transport, recorder: Recorder, status: int) -> None:
    recorder.always = Answer(status=status, body=b"", headers=(("Location", "/elsewhere"),))
    with pytest.raises(AgaveError, match=rf"x\.y: {status} sends a DELETE on to .*/elsewhere; it is not followed"):
        transport.send(request(recorder, "DELETE"))
    assert len(recorder.received) == 1


def test_303_means_to_read_elsewhere(transport: Transport, recorder: Recorder) -> None:
    recorder.script = [Answer(status=303, body=b"", headers=(("Location", "/elsewhere"),))]
    transport.send(request(recorder, "POST", body=b"x"))
    assert (recorder.last.verb, recorder.last.target, recorder.last.body) == ("GET", "/elsewhere", b"")


@pytest.mark.parametrize("is_measurable", [True, False])
def test_a_redirected_upload_arrives_whole(transport: Transport, recorder: Recorder, is_measurable: bool) -> None:
    class Unmeasured(io.BytesIO):
        def seek(self, offset: int, whence: int = 0) -> int:
            if whence == io.SEEK_END:
                raise OSError("its end is not known")
            return super().seek(offset, whence)

    data = io.BytesIO(b"data" * 1000) if is_measurable else Unmeasured(b"data" * 1000)
    recorder.script = [Answer(status=307, body=b"", headers=(("Location", "/elsewhere"),))]
    transport.send(request(recorder, "POST", body=MultipartBody([], "f", data, file_name=lambda: "n")))
    first, second = recorder.received
    assert first.body == second.body
    assert b"data" * 1000 in second.body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_but_reading_leaves_our_host(transport: Transport, recorder: Recorder, method: str) -> None:
    with recording() as stranger:
        recorder.script = [Answer(status=307, body=b"", headers=(("Location", f"{stranger.url}/x"),))]
        with pytest.raises(AgaveError, match="it is not followed"):
            transport.send(request(recorder, method, body=b"x"))
        assert not stranger.received


def test_a_password_is_not_sent_on(recorder: Recorder) -> None:
    recorder.script = [Answer(status=307, body=b"", headers=(("Location", "/token2"),))]
    with pytest.raises(AgaveError, match="token: 307 sends a POST on"):
        Agave(api_server=recorder.url, username="u", password="p", api_key="k", api_secret="s")
    assert len(recorder.received) == 1


def test_redirects_in_a_circle_end(transport: Transport, recorder: Recorder) -> None:
    recorder.always = Answer(status=302, body=b"", headers=(("Location", "/again"),))
    with pytest.raises(AgaveError, match="more than 10 redirects"):
        transport.send(request(recorder))


def test_an_action_is_not_repeated_when_the_connection_breaks(ag: Agave, recorder: Recorder) -> None:
    recorder.always = Answer(body=b"half", length=100)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        ag.files.manage(systemId="s", filePath="a", body={"action": "copy", "path": "b"})
    assert len(recorder.received) == 1


def test_an_action_is_repeated_when_the_server_had_not_begun(recorder: Recorder, transport: Transport) -> None:
    recorder.script = [BUSY]
    assert transport.send(request(recorder, "PUT", is_idempotent=False)).status_code == 200
    recorder.script = [Answer(status=502, body=b"")]
    assert transport.send(request(recorder, "PUT", is_idempotent=False)).status_code == 502


def test_proxies_of_the_environment_are_used(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", recorder.url)
    Agave(api_server="http://agave.example.org", token="t").systems.list()
    assert recorder.last.target == "http://agave.example.org/systems/v2/"


def test_explicit_proxies_win(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    Agave(api_server="http://agave.example.org", token="t", proxies={"http": recorder.url}).systems.list()
    assert len(recorder.received) == 1


# Trouble, said clearly


def refused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_no_server_there(slept: list[float]) -> None:
    url = f"http://127.0.0.1:{refused_port()}"
    transport = Transport(url, sleep=slept.append)
    with pytest.raises(
        requests.exceptions.ConnectionError, match=r"Connection refused, 4 attempts\)\. Is api_server right"
    ):
        transport.send(Request("systems.list", "GET", f"{url}/systems/v2/", {}))
    assert len(slept) == ATTEMPTS - 1


def test_https_asked_of_a_server_that_speaks_http(recorder: Recorder) -> None:
    ag = Agave(api_server=recorder.url.replace("http:", "https:"), token="t")
    with pytest.raises(requests.exceptions.SSLError, match="should api_server begin with http://"):
        ag.systems.list()


def test_a_ca_file_without_a_certificate(recorder: Recorder, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing of the kind")
    ag = Agave(api_server=recorder.url.replace("http", "https"), token="t", verify=str(tmp_path / "ca.pem"))
    with pytest.raises(requests.exceptions.SSLError, match="names holds no certificate"):
        ag.systems.list()


@pytest.mark.parametrize("path", ["/no/such/ca.pem", "/no/such/folder/"])
def test_a_ca_that_cannot_be_read(recorder: Recorder, path: str) -> None:
    with pytest.raises(AgaveError, match=f"verify='{path}': there is no certificate"):
        Agave(api_server=recorder.url, token="t", verify=path).systems.list()


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_ca_of_the_environment_that_cannot_be_read_names_its_variable(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setenv(variable, "/no/such/ca.pem")
    with pytest.raises(AgaveError, match=f"^{variable}='/no/such/ca.pem': there is no certificate"):
        Agave(api_server=recorder.url, token="t").systems.list()


def test_a_ca_of_the_wrong_kind_says_what_it_may_be(recorder: Recorder) -> None:
    with pytest.raises(AgaveError, match="verify=3: True, False, or the path"):
        Agave(api_server=recorder.url, token="t", verify=3).systems.list()  # type: ignore[arg-type]


def test_an_answer_that_cannot_be_decoded_names_the_operation(ag: Agave, recorder: Recorder) -> None:
    recorder.always = Answer(body=b"no gzip", headers=(("Content-Encoding", "gzip"),))
    with pytest.raises(requests.exceptions.ContentDecodingError, match=r"^systems\.list: no answer from .*decompress"):
        ag.systems.list()
    assert len(recorder.received) == 1


def test_a_fault_of_the_gateway_is_both_kinds_of_error(ag: Agave, recorder: Recorder) -> None:
    fault = b'{"fault":{"code":900901,"message":"Invalid Credentials","description":"Access failure"}}'
    recorder.always = Answer(status=401, body=fault)
    with pytest.raises(AgaveException) as caught:
        ag.systems.list()
    assert isinstance(caught.value, (GatewayFault, requests.exceptions.HTTPError))
    assert caught.value.args[0]["fault"]["code"] == 900901
    assert str(caught.value).startswith("401 Client Error: Unauthorized for url: ")
    assert " - Invalid Credentials - Log in: run 'agavepy login'" in str(caught.value)
    assert caught.value.message == "Invalid Credentials"


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (
            b'{"status":"error","message":"No system found matching abc"}',
            "application/json",
            "No system found matching abc",
        ),
        (b'{"error":"invalid_grant","error_description":"no"}', "application/json", "no"),
        (b'{"Status":"Error","Message":"capital"}', "application/json", "capital"),
        (b"<html><head><title>502 Bad\n Gateway</title></head></html>", "text/html", "502 Bad Gateway"),
        (b"<html>no title</html>", "text/html", "an HTML page without a title"),
        (
            b'<ams:fault xmlns:ams="x"><ams:message>Access Token Inactive</ams:message></ams:fault>',
            "application/xml",
            "Access Token Inactive",
        ),
        (b"plain text", "text/plain", "plain text"),
        (b"", "text/plain", ""),
        (b"[1]", "application/json", "[1]"),
        (b"\xff\xfe\x00", "application/json", None),
    ],
)
def test_an_error_carries_the_services_own_words(
    ag: Agave, recorder: Recorder, body: bytes, kind: str, message: str | None
) -> None:
    recorder.always = Answer(status=404, body=body, content_type=kind)
    with pytest.raises(AgaveHTTPError, match="^404 Client Error: Not Found for url: http") as caught:
        ag.systems.get(systemId="abc")
    error = caught.value
    assert (error.status_code, error.operation, error.response.status_code) == (404, "systems.get", 404)
    assert isinstance(error, requests.exceptions.HTTPError)
    assert isinstance(error, AgavepyError)
    assert message is None or error.message == message
    assert error.response.content == body


def test_a_huge_error_page_is_cut(ag: Agave, recorder: Recorder) -> None:
    recorder.always = Answer(status=500, body=b"x" * 10_000_000, content_type="text/html")
    with pytest.raises(AgaveHTTPError) as caught:
        ag.jobs.submit(body={"name": "a", "appId": "b-1"})
    assert len(str(caught.value)) < 1000
    assert len(caught.value.response.content) == LONGEST_ERROR_BODY


def test_an_error_page_that_breaks_off_is_still_that_error(ag: Agave, recorder: Recorder) -> None:
    recorder.always = Answer(status=500, body=b"half", length=100)
    with pytest.raises(AgaveHTTPError, match="500 Server Error"):
        ag.jobs.submit(body={"name": "a", "appId": "b-1"})


def test_a_page_full_of_titles_is_read_in_no_time(ag: Agave, recorder: Recorder) -> None:
    recorder.always = Answer(status=500, body=b"<title>" * 100_000, content_type="text/html")
    with pytest.raises(AgaveHTTPError, match="500 Server Error"):
        ag.jobs.submit(body={"name": "a", "appId": "b-1"})


@pytest.mark.parametrize("status", [200, 500])
def test_brackets_without_end_harm_nothing(ag: Agave, recorder: Recorder, status: int) -> None:
    recorder.always = Answer(status=status, body=b"[" * 100_000)
    if status == 200:
        assert ag.systems.list() == "[" * 100_000
    else:
        with pytest.raises(AgaveHTTPError, match="500 Server Error"):
            ag.systems.list()


def test_errors_hide_nonces_and_pickle_without_the_token(ag: Agave, recorder: Recorder) -> None:
    recorder.always = Answer(status=400, body=b'{"message": "No remaining uses"}')
    with pytest.raises(AgaveHTTPError) as caught:
        ag.actors.get(actorId="a", nonce="secret-nonce")
    assert "secret-nonce" not in str(caught.value)
    with pytest.raises(AgaveHTTPError) as caught:
        ag.actors.get(actorId="a")
    data = pickle.dumps(caught.value)
    assert b"the-token" not in data
    again = pickle.loads(data)
    assert (str(again), again.status_code, again.message) == (str(caught.value), 400, "No remaining uses")


def test_a_pickled_error_keeps_its_advice_and_no_nonce(ag: Agave, recorder: Recorder) -> None:
    recorder.always = Answer(status=401, body=b'{"fault": {"code": 900901, "message": "Invalid Credentials"}}')
    with pytest.raises(AgaveHTTPError, match="Log in") as caught:
        ag.actors.get(actorId="a")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    with pytest.raises(AgaveHTTPError) as caught:
        ag.actors.get(actorId="a", nonce="secret-nonce")
    assert b"secret-nonce" not in pickle.dumps(caught.value)


def test_trouble_on_the_network_shows_no_secret() -> None:
    ag = Agave(api_server=f"http://127.0.0.1:{refused_port()}", token="the-token")
    with pytest.raises(requests.exceptions.ConnectionError) as caught:
        ag.actors.sendMessage(actorId="a", body={"message": "x"}, nonce="secret-nonce")
    shown = "".join(traceback.format_exception(caught.value)).replace('nonce="secret-nonce"', "")  # the line above
    assert "the-token" not in shown
    assert "secret-nonce" not in shown


@pytest.mark.usefixtures("recorder")
def test_addresses_are_logged_without_their_secrets(ag: Agave, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    ag.actors.get(actorId="a", nonce="secret-nonce")
    ag.postits.delete(uuid="secret-nonce")
    assert "/actors/v2/a?x-nonce=…" in caplog.text
    assert "/postits/v2/…" in caplog.text
    assert "secret-nonce" not in caplog.text
