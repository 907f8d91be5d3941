"""Faults on request: what was asked for happens, to whom it was asked for, as often as it was asked for."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from agavepy.errors import AgaveHTTPError
from agavepy.sandbox import ManualClock, Sandbox, faults
from agavepy.sandbox.clock import Clock

from .conftest import Http
from .schema import refusal

HOME = "/files/v2/media/system/sandbox-storage//home/sandbox"
CONTENT = bytes(range(256)) * 10_000
PROFILE = "/profiles/v2/me"
ADDRESS = "/sandbox/faults"


@pytest.fixture(params=[False, True], ids=["http", "https"], scope="module")
def tenant(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Sandbox]:
    with Sandbox(clock=clock, tls=request.param) as running:
        yield running


@pytest.fixture(autouse=True)
def _clean(tenant: Sandbox, http: Http) -> Iterator[None]:
    http.post(HOME, files={"fileToUpload": ("a.bin", CONTENT)}).raise_for_status()
    yield
    tenant.clear_faults()


def test_a_status_is_answered_as_often_as_asked_and_nothing_is_done(tenant: Sandbox, http: Http) -> None:
    tenant.fail_next(503, times=2, operation="files.importData")
    for _ in range(2):
        assert "Service Unavailable" in refusal(http.post(HOME, files={"fileToUpload": ("b", CONTENT)}), status=503)
    assert http.get(f"{HOME}/b").status_code == 404
    assert http.post(HOME, files={"fileToUpload": ("b", CONTENT)}).status_code == 202
    assert tenant.faults == []


def test_only_the_operation_that_was_named_fails(tenant: Sandbox, http: Http) -> None:
    tenant.fail_next(500, operation="files.*")
    assert http.get(PROFILE).status_code == 200
    assert http.get(f"{HOME}/a.bin").status_code == 500
    assert http.get(f"{HOME}/a.bin").status_code == 200


def test_faults_happen_in_the_order_in_which_they_were_asked_for(tenant: Sandbox, http: Http) -> None:
    for status in (500, 502, 504):
        tenant.fail_next(status)
    assert [http.get(PROFILE).status_code for _ in range(4)] == [500, 502, 504, 200]


def test_the_log_of_requests_tells_of_faults(tenant: Sandbox, http: Http) -> None:
    tenant.fail_next(429, retry_after_s=7)
    answer = http.get(PROFILE)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    noted = tenant.requests[-1]
    assert (noted["operation"], noted["status"]) == ("profiles.get", 429)
    assert noted["fault"] == {"status": 429, "retry_after_s": 7}


def test_the_token_endpoint_and_unknown_addresses_can_fail_too(tenant: Sandbox, http: Http) -> None:
    tenant.fail_next(503, operation="token")
    assert http.get(PROFILE).status_code == 200
    with pytest.raises(requests.HTTPError, match="503"):
        http.grant()
    tenant.fail_next(502)
    assert http.get("/nowhere").status_code == 502


def test_an_html_page_is_answered_as_proxies_do(tenant: Sandbox, http: Http) -> None:
    tenant.fail_next(502, html=True)
    answer = http.get(PROFILE)
    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html")
    assert "<h1>502 Bad Gateway</h1>" in answer.text


def test_a_body_is_truncated(tenant: Sandbox, http: Http) -> None:
    tenant.fail_next(truncate_after=1_000_000, operation="files.download")
    with http.get(f"{HOME}/a.bin", stream=True) as answer:
        assert answer.headers["content-length"] == str(len(CONTENT))
        assert received(answer) == 1_000_000
    assert http.get(f"{HOME}/a.bin").content == CONTENT


def test_a_body_shorter_than_its_truncation_comes_whole(tenant: Sandbox, http: Http) -> None:
    tenant.fail_next(truncate_after=len(CONTENT))
    assert http.get(f"{HOME}/a.bin").content == CONTENT


@pytest.mark.parametrize("after", [0, 1, 70_000])
def test_a_connection_is_reset_in_the_middle_of_an_answer(tenant: Sandbox, http: Http, after: int) -> None:
    tenant.fail_next(reset_after=after, operation="files.download")
    with http.get(f"{HOME}/a.bin", stream=True) as answer:
        assert received(answer) <= after
    assert http.get(f"{HOME}/a.bin").content == CONTENT


def received(answer: requests.Response) -> int:
    """Return how many bytes of a body come before its connection breaks."""
    size = 0
    try:
        for piece in answer.iter_content(1):
            size += len(piece)
    except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
        return size
    pytest.fail("The body came whole.")


@pytest.mark.parametrize("after", [0, 100_000, 1 << 40])
def test_a_connection_is_reset_in_the_middle_of_a_request_and_nothing_is_stored(
    tenant: Sandbox, http: Http, after: int
) -> None:
    tenant.fail_next(reset_request_after=after, operation="files.importData")
    with pytest.raises(requests.ConnectionError):
        http.post(HOME, files={"fileToUpload": ("c", CONTENT)})
    assert http.get(f"{HOME}/c").status_code == 404
    assert list(tenant.state.disk.incoming.iterdir()) == []
    assert [each["status"] for each in tenant.requests if each.get("fault") == {
        "operation": "files.importData", "reset_request_after": after}] == [None]  # fmt: skip


def test_an_answer_that_does_not_come_holds_up_neither_the_next_nor_the_end() -> None:
    with Sandbox() as tenant, Http(tenant) as http:
        tenant.fail_next(delay_s=600)
        with pytest.raises(requests.ReadTimeout):
            http.get(PROFILE, timeout=0.2)
        assert http.get(PROFILE).status_code == 200


def test_a_late_answer_comes(tenant: Sandbox, http: Http) -> None:
    tenant.fail_next(delay_s=0.02)
    assert http.get(PROFILE).status_code == 200


def test_a_token_expires_just_before_a_request(tenant: Sandbox, http: Http) -> None:
    tenant.fail_next(expire_tokens=True, operation="files.download")
    assert http.get(PROFILE).status_code == 200
    answer = http.get(f"{HOME}/a.bin")
    assert (answer.status_code, "900903" in answer.text) == (401, True)


def test_a_token_expires_when_the_clock_jumps(tenant: Sandbox, http: Http, clock: ManualClock) -> None:
    before = clock.now()
    tenant.fail_next(clock_jump_s=86400)
    assert http.get(PROFILE).status_code == 401
    tenant.fail_next(clock_jump_s=-86400)
    assert http.get(PROFILE).status_code == 200
    assert clock.now() == before


def test_the_machines_clock_can_jump_too() -> None:
    clock = Clock()
    clock.advance(86400)
    assert clock.now() - time.time() == pytest.approx(86400, abs=60)


def test_the_client_goes_through_it(tenant: Sandbox) -> None:
    with contextlib.closing(tenant.client()) as ag:
        tenant.fail_next(503, retry_after_s=0)
        tenant.fail_next(expire_tokens=True, operation="profiles.get")
        assert ag.profiles.get().username == "sandbox"
        tenant.fail_next(500, message="The disk is on fire", operation="files.list")
        with pytest.raises(AgaveHTTPError, match="The disk is on fire"):
            ag.files.list(systemId="sandbox-storage", filePath="sandbox")


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 99},
        {"status": "503"},
        {"status": True},
        {"times": 0},
        {"times": None},
        {"delay_s": -1},
        {"delay_s": 1e9},
        {"delay_s": float("nan")},
        {"truncate_after": -1},
        {"truncate_after": 1.5},
        {"operation": 7},
        {"html": "yes"},
    ],
)
def test_a_fault_that_no_request_could_meet_is_refused(tenant: Sandbox, admin: Http, fault: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(fault))):
        tenant.fail_next(**fault)
    assert tenant.faults == []


# Over HTTP


def test_an_administrator_asks_for_faults_over_http(tenant: Sandbox, http: Http, admin: Http) -> None:
    asked = {"status": 503, "times": 2, "operation": "profiles.*"}
    made = admin.post(ADDRESS, json=asked)
    assert (made.status_code, made.json()["result"]) == (201, [asked])
    assert http.get(PROFILE).status_code == 503
    assert admin.get(ADDRESS).json()["result"] == [{**asked, "times": 1}]
    assert admin.delete(ADDRESS).json()["result"] == []
    assert http.get(PROFILE).status_code == 200
    assert [each["operation"] for each in tenant.requests[-2:]] == ["sandbox.faults", "profiles.get"]


def test_the_address_of_faults_is_never_hit_by_one(tenant: Sandbox, admin: Http) -> None:
    tenant.fail_next(500, times=100)
    assert admin.delete(f"{ADDRESS}/").status_code == 200
    assert tenant.faults == []


@pytest.mark.parametrize(
    ("operation", "hint"),
    [("files.dwnload", "Did you mean 'files.download'?"), ("nosuch.*", "Names are as"), ("", "Names are as")],
)
def test_a_fault_of_no_operation_is_refused(tenant: Sandbox, admin: Http, operation: str, hint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"This tenant has no operation {operation!r}")) as caught:
        tenant.fail_next(503, operation=operation)
    assert hint in str(caught.value)
    assert refusal(admin.post(ADDRESS, json={"status": 503, "operation": operation}), status=400) == str(caught.value)
    assert tenant.faults == []


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_faults_are_an_administrators(tenant: Sandbox, http: Http, method: str) -> None:
    refusal(http.request(method, ADDRESS, json={"status": 500}), status=403)
    assert requests.request(method, f"{tenant.url}{ADDRESS}", verify=http.verify, timeout=30).status_code == 401
    assert tenant.faults == []


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"statu": 5}', b'{"status": 5}', b'{"delay_s": 1e400}', b'"x"', b'{"times": null}']
)
def test_nonsense_is_refused(admin: Http, tenant: Sandbox, body: bytes) -> None:
    assert admin.post(ADDRESS, data=body).status_code == 400
    assert tenant.faults == []


def test_faults_are_bounded(admin: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "_MOST_FAULTS", 2)
    for _ in range(2):
        assert admin.post(ADDRESS, json={"status": 500, "operation": "jobs.*"}).status_code == 201
    assert admin.post(ADDRESS, json={"status": 500, "operation": "jobs.*"}).status_code == 400
    assert admin.post(ADDRESS, data=b"x" * 70_000).status_code == 413


def test_another_verb_is_refused(admin: Http) -> None:
    answer = admin.put(ADDRESS, json={})
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET, POST")
