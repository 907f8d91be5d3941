"""The front: faults, envelopes, bodies, query parameters; the same for every operation."""

from __future__ import annotations

import collections
import json
import logging
import threading
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import requests

from agavepy.sandbox import ManualClock, Sandbox
from agavepy.sandbox.app import WORKERS
from agavepy.sandbox.services.profiles import Profiles

from .conftest import TIMEOUT_S, Http

VERSION = "2.2.22-r7deb380"
THINGS = """
swagger: '2.0'
info: {title: Things, version: v2}
securityDefinitions: {Bearer: {type: apiKey, name: Authorization, in: header}}
security: [{Bearer: []}]
paths:
  /things/v2/:
    get: {operationId: list, responses: {'200': {description: Some things.}}}
"""


def bare(tenant: Sandbox, path: str, **headers: str) -> requests.Response:
    return requests.get(tenant.url + path, headers=headers, timeout=TIMEOUT_S)


# Faults of the gateway


def test_no_token_gets_fault_900902(tenant: Sandbox) -> None:
    answer = bare(tenant, "/apps/v2/")
    assert answer.status_code == 401
    assert answer.text.startswith('{"fault":{"code":900902,"message":"Missing Credentials"')
    assert "/apps/v2, version: v2" in answer.json()["fault"]["description"]


@pytest.mark.parametrize("header", ["Basic eDp5", "Bearer", "Bearer ", "token"])
def test_another_scheme_than_bearer_is_no_token(tenant: Sandbox, header: str) -> None:
    assert bare(tenant, "/apps/v2/", Authorization=header).json()["fault"]["code"] == 900902


def test_a_parameter_without_a_name_is_no_token(tenant: Sandbox) -> None:
    assert bare(tenant, "/apps/v2/?=x").json()["fault"]["code"] == 900902


def test_an_unknown_token_gets_fault_900901(tenant: Sandbox) -> None:
    answer = bare(tenant, "/apps/v2/", Authorization="Bearer nobody-knows-it")
    assert answer.status_code == 401
    assert answer.text.startswith('{"fault":{"code":900901,"message":"Invalid Credentials"')


def test_an_expired_token_gets_xml_fault_900903(http: Http, clock: ManualClock) -> None:
    assert http.get("/profiles/v2/me").status_code == 200
    clock.advance(14400)
    answer = http.get("/profiles/v2/me")
    assert answer.status_code == 401
    assert "xml" in answer.headers["content-type"]
    fault = ET.fromstring(answer.text)
    assert [each.text for each in fault][:2] == ["900903", "Access Token Expired"]
    assert fault.tag == "{http://wso2.org/apimanager/security}fault"


def test_a_superseded_token_gets_xml_fault_900904_without_the_token(http: Http) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": http.tokens["refresh_token"]}
    http.post("/token", auth=(http.key, http.secret), data=form).raise_for_status()
    answer = http.get("/profiles/v2/me")
    assert answer.status_code == 401
    assert "<ams:code>900904</ams:code>\n<ams:message>Access Token Inactive</ams:message>" in answer.text
    assert http.tokens["access_token"] not in answer.text


def test_faults_come_before_routing(tenant: Sandbox) -> None:
    assert bare(tenant, "/nothing/v2/here").json()["fault"]["code"] == 900902
    assert bare(tenant, "/files/v2/media/%FF").json()["fault"]["code"] == 900902


def test_a_path_that_is_no_text_is_refused(http: Http) -> None:
    assert http.get("/files/v2/media/%FF").status_code == 400


def test_an_unknown_address_gets_fault_900906(http: Http) -> None:
    answer = http.get("/nothing/v2/here")
    assert answer.status_code == 404
    assert answer.json()["fault"]["code"] == 900906


def test_a_verb_that_is_not_served_says_which_are(http: Http) -> None:
    answer = http.put("/profiles/v2", json={})
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST"
    assert answer.json()["fault"]["code"] == 900906


def test_an_operation_that_is_not_served_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "things.yaml").write_text(THINGS)
    monkeypatch.setenv("AGAVEPY_RESOURCES", str(tmp_path))
    with Sandbox() as tenant, Http(tenant) as http:
        answer = http.get("/things/v2/")
    assert answer.status_code == 501
    assert answer.json() == {
        "status": "error",
        "message": "things.list is not served by this sandbox",
        "version": VERSION,
    }


def test_a_refused_upload_is_read_to_its_end_so_that_the_answer_arrives(tenant: Sandbox) -> None:
    answer = requests.post(f"{tenant.url}/files/v2/media/x", data=b"x" * (5 << 20), timeout=TIMEOUT_S)
    assert answer.status_code == 401


# Envelopes


def test_the_envelope_has_its_keys_in_order(http: Http) -> None:
    answer = http.get("/profiles/v2/me")
    assert list(answer.json()) == ["status", "message", "version", "result"]
    assert answer.json()["status"] == "success"
    assert answer.json()["message"] is None
    assert answer.json()["version"] == VERSION
    assert answer.headers["content-type"] == "application/json"


def test_an_error_has_no_result(http: Http) -> None:
    answer = http.get("/profiles/v2/nobody")
    assert answer.status_code == 404
    assert answer.json() == {"status": "error", "message": "No user found matching nobody", "version": VERSION}


def test_naked_gives_the_result_alone(http: Http) -> None:
    assert http.get("/profiles/v2/me?naked=true").json()["username"] == "sandbox"


def test_a_naked_error_has_no_body(http: Http) -> None:
    answer = http.get("/profiles/v2/nobody?naked=True")
    assert (answer.status_code, answer.content) == (404, b"")


def test_pretty_indents(http: Http) -> None:
    assert http.get("/profiles/v2/me?pretty=true").text.startswith('{\n  "status": "success",\n')


def test_filter_keeps_fields_one_level_deep(http: Http) -> None:
    result = http.get("/profiles/v2/me?filter=username,_links.self,nosuch").json()["result"]
    assert list(result) == ["username", "_links"]
    assert list(result["_links"]) == ["self"]


def test_head_is_get_without_the_body(http: Http) -> None:
    whole, head = http.get("/profiles/v2/me"), http.head("/profiles/v2/me")
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == str(len(whole.content))


@pytest.mark.parametrize("path", ["/systems/v2", "/systems/v2/", "/profiles/v2/me/", "/tenants/"])
def test_both_slash_forms_are_served_without_a_redirect(http: Http, path: str) -> None:
    assert http.get(path, allow_redirects=False).status_code == 200


def test_links_stay_on_the_host_the_caller_used(tenant: Sandbox, http: Http) -> None:
    address = tenant.url.replace("127.0.0.1", "localhost")
    result = http.get(f"{address}/profiles/v2/me").json()["result"]
    assert result["_links"]["self"]["href"] == f"{address}/profiles/v2/sandbox"


def test_links_never_lead_to_a_foreign_host(tenant: Sandbox, http: Http) -> None:
    result = http.get("/profiles/v2/me", headers={"Host": "evil.example"}).json()["result"]
    assert result["_links"]["self"]["href"] == f"{tenant.url}/profiles/v2/sandbox"


def test_an_unexpected_error_is_logged_and_not_told(
    http: Http, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Profiles, "get", lambda self, call: 1 / 0)
    answer = http.get("/profiles/v2/me")
    assert answer.status_code == 500
    assert answer.json()["status"] == "error"
    assert "ZeroDivisionError" not in answer.text
    (record,) = [each for each in caplog.records if each.name == "agavepy.sandbox"]
    assert record.levelno == logging.ERROR
    assert "ZeroDivisionError" in caplog.text


def test_short_questions_are_answered_while_every_worker_is_busy(tenant: Sandbox, http: Http) -> None:
    workers, over = tenant._live.app._workers, threading.Event()
    busy = [workers.submit(over.wait, TIMEOUT_S) for _ in range(WORKERS)]
    try:
        for path in ("/systems/v2/sandbox-storage", "/profiles/v2/me"):
            assert http.get(path).status_code == 200
        assert http.get("/systems/v2/none").status_code == 404
        assert http.get("/systems/v2/none", headers={"Authorization": "Bearer none"}).status_code == 401
    finally:
        over.set()
    assert all(each.result() for each in busy)  # none of them had to end for that


# Bodies


@pytest.mark.parametrize("kind", ["json", "form", "multipart", "document"])
def test_a_body_is_understood_as_json_form_or_multipart(tenant: Sandbox, kind: str) -> None:
    fields = {"clientName": f"client-{kind}", "description": "é"}
    ways = {
        "json": {"json": fields},
        "form": {"data": fields},
        "multipart": {"files": {name: (None, value) for name, value in fields.items()}},
        "document": {"files": {"fileToUpload": ("client.json", json.dumps(fields))}},
    }
    auth = (tenant.username, tenant.password)
    answer = requests.post(f"{tenant.url}/clients/v2/", auth=auth, timeout=TIMEOUT_S, **ways[kind])  # type: ignore[arg-type]
    assert answer.status_code == 201
    assert answer.json()["result"]["name"] == f"client-{kind}"
    assert answer.json()["result"]["description"] == "é"


@pytest.mark.parametrize(
    "body", [b"{", b"{'a': 1}", b'{"a": NaN}', b'"\xff"', b'{"a": "\\ud800"}', b"[" * 100_000], ids=range(6)
)
def test_a_body_that_is_no_json_is_refused(http: Http, body: bytes) -> None:
    answer = http.post("/systems/v2/", data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["message"] == "Invalid JSON found."


def test_no_body_where_one_is_needed_is_refused(http: Http) -> None:
    answer = http.post("/systems/v2/")
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("No content found")


def test_an_unknown_content_type_is_refused(http: Http) -> None:
    answer = http.post("/systems/v2/", data=b"x", headers={"Content-Type": "image/png"})
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("Unsupported content type")


@pytest.mark.parametrize("announced", [True, False])
def test_a_document_of_more_than_ten_megabytes_is_refused(http: Http, announced: bool) -> None:
    pieces = [b" " * (1 << 20)] * 40  # more than socket buffers hold: it is read to its end all the same
    body = b"".join(pieces) if announced else iter(pieces)
    answer = http.post("/systems/v2/", data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


@pytest.mark.parametrize(("name", "value"), [("limit", "ten"), ("offset", "1.5"), ("limit", "9" * 30)])
def test_a_number_that_is_none_is_refused(http: Http, name: str, value: str) -> None:
    answer = http.get("/systems/v2/", params={name: value})
    assert answer.status_code == 400
    assert answer.json()["message"] == f"Illegal integer value for {name}"


# The log of requests


def test_a_block_records_its_requests_and_no_others(tenant: Sandbox, http: Http) -> None:
    http.get("/profiles/v2/before")
    with tenant.recorded() as outer, tenant.recorded() as inner:
        http.get("/profiles/v2/nobody")
    http.get("/profiles/v2/after")
    assert [(each["path"], each["status"]) for each in outer] == [("/profiles/v2/nobody", 404)]
    assert inner == outer


def test_a_record_does_not_end_where_the_log_is_full(
    tenant: Sandbox, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenant._live.app, "_requests", collections.deque(maxlen=1))
    with tenant.recorded() as requests_made:
        for name in ("a", "b", "c"):
            http.get(f"/profiles/v2/{name}")
    assert len(tenant.requests) == 1
    assert [each["path"] for each in requests_made] == [f"/profiles/v2/{name}" for name in "abc"]


def test_requests_are_noted_with_who_what_and_when(tenant: Sandbox, http: Http, clock: ManualClock) -> None:
    http.get("/profiles/v2/nobody?x=1")
    bare(tenant, "//jobs/v2")
    assert tenant.requests[-2:] == [
        {
            "method": "GET",
            "path": "/profiles/v2/nobody",
            "status": 404,
            "operation": "profiles.listByUsername",
            "user": "sandbox",
            "time": clock.now(),
        },
        {
            "method": "GET",
            "path": "//jobs/v2",
            "status": 401,
            "operation": None,
            "user": None,
            "time": clock.now(),
        },
    ]


# Tenants


def test_the_tenant_is_announced_to_everybody(tenant: Sandbox) -> None:
    answer = bare(tenant, "/tenants")
    assert list(answer.json()) == ["status", "message", "result", "version"]
    assert answer.json()["message"] == ""
    (record,) = answer.json()["result"]
    assert (record["code"], record["baseUrl"]) == ("sandbox", f"{tenant.url}/")
    assert bare(tenant, f"/tenants/{record['id']}").json()["result"] == [record]
    assert bare(tenant, "/tenants/sandbox").json()["result"] == [record]


def test_an_unknown_tenant_is_named(tenant: Sandbox) -> None:
    answer = bare(tenant, "/tenants/other")
    assert answer.status_code == 404
    assert answer.json()["message"] == "No tenant found with id other"


def test_tenants_can_only_be_read(tenant: Sandbox) -> None:
    assert requests.post(f"{tenant.url}/tenants", json={}, timeout=TIMEOUT_S).status_code == 501
