"""Which tenant: the list, the look-ups, and the question that ``init()`` asks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import urllib3

from agavepy import tenants
from agavepy.agave import Agave
from agavepy.errors import AgaveError, AgaveHTTPError
from agavepy.sandbox import Sandbox

from .recording import Answer, Recorder
from .test_prompts import at_terminal, without_terminal

LISTED = [
    {"code": "tacc.prod", "name": "TACC", "baseUrl": "https://api.tacc.utexas.edu/", "contact": []},
    {"code": "sd2e", "name": "SD2E Tenant", "baseUrl": "https://api.sd2e.org/"},
    {"code": "3dem", "name": None, "baseUrl": "https://api.3DEM.org"},
]
QUESTION = "Please specify the ID for the tenant you wish to interact with: "
INIT = """
import sys
from agavepy import tenants
from agavepy.agave import Agave
from agavepy.errors import AgaveError
ag = Agave()
try:
    tenants.choose(ag)
    print((ag.tenant_id, ag.api_server))
except AgaveError as error:
    print("AgaveError:", error)
"""


@pytest.fixture(scope="module")
def tenant() -> Iterator[Sandbox]:
    with Sandbox(tls=True) as running:
        yield running


@pytest.fixture
def url(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a list of three tenants, known to the environment."""
    recorder.result(LISTED)
    monkeypatch.delenv("TAPIS_TENANT_ID", raising=False)
    monkeypatch.setenv("TAPIS_TENANTS_URL", f"{recorder.url}/tenants")
    return f"{recorder.url}/tenants"


# The list


def test_the_list_of_a_real_tenant_is_open_to_everybody(tenant: Sandbox) -> None:
    (listed,) = tenants.list_tenants(f"{tenant.url}/tenants", verify_ssl=tenant.ca_file)
    assert listed.baseUrl == f"{tenant.url}/"
    assert listed["code"] == listed.code
    assert {"name", "contact", "_links"} <= listed.keys()


def test_the_records_are_those_of_the_server(url: str, recorder: Recorder) -> None:
    assert tenants.list_tenants() == LISTED
    assert (recorder.last.verb, recorder.last.target) == ("GET", "/tenants")
    assert "authorization" not in recorder.last.headers


def test_the_argument_wins_over_the_environment(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder.result(LISTED)
    monkeypatch.setenv("TAPIS_TENANTS_URL", "http://127.0.0.1:9/tenants")
    assert tenants.list_tenants(f"{recorder.url}/argument", True) == LISTED
    assert tenants.list_tenants(url=f"{recorder.url}/keyword", verify_ssl=False) == LISTED
    assert [each.target for each in recorder.received] == ["/argument", "/keyword"]


def test_a_list_without_an_envelope_is_one(url: str, recorder: Recorder) -> None:
    recorder.always = Answer(body=json.dumps(LISTED).encode())
    assert tenants.api_server_by_id("sd2e") == "https://api.sd2e.org/"


def test_what_is_no_tenant_is_left_out(url: str, recorder: Recorder) -> None:
    recorder.result([*LISTED, {"code": "half"}, {"code": 5, "baseUrl": None}, "text", None])
    assert tenants.list_tenants() == LISTED


@pytest.mark.parametrize(
    "body",
    [b"<html>welcome</html>", b"", b"{}", b"5", b"null", b'{"result": {"code": "x"}}', b'{"result": [{}]}', b"\xff"],
)
def test_an_answer_that_is_no_list_of_tenants_says_so(url: str, recorder: Recorder, body: bytes) -> None:
    recorder.always = Answer(body=body)
    with pytest.raises(AgaveError, match=f"{url} does not answer with a list of tenants.*TAPIS_TENANTS_URL"):
        tenants.list_tenants()


@pytest.mark.parametrize("wrong", ["api.sd2e.org/tenants", "file:///x", "http://", "http://[::1", "http://x:y/"])
def test_an_address_that_is_none_says_so(wrong: str) -> None:
    with pytest.raises(AgaveError, match=f"'{re.escape(wrong)}' is no address of a list of tenants"):
        tenants.list_tenants(wrong)


def test_a_refusal_is_that_of_the_server(url: str, recorder: Recorder) -> None:
    recorder.always = Answer(status=404, body=b'{"status": "error", "message": "nothing here"}')
    with pytest.raises(AgaveHTTPError, match="^404 Client Error: Not Found for url: .*/tenants - nothing here"):
        tenants.list_tenants()


def test_a_list_that_fails_once_is_asked_for_again(url: str, recorder: Recorder) -> None:
    recorder.script = [Answer(status=503, headers=(("Retry-After", "0"),))]
    assert tenants.list_tenants() == LISTED


def test_the_certificate_is_checked_unless_the_caller_says_not_to(
    tenant: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{tenant.url}/tenants"
    with pytest.raises(requests.exceptions.SSLError, match=r"tenants\.list: no answer"):
        tenants.list_tenants(url)
    with pytest.warns(urllib3.exceptions.InsecureRequestWarning):
        tenants.list_tenants(url, verify_ssl=False)
    # Programs say True when they mean "check it": the CA that the environment names still counts.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tenant.ca_file))
    assert tenants.list_tenants(url, verify_ssl=True)


# The look-ups


@pytest.mark.parametrize("tenant_id", ["sd2e", "SD2E", " sd2e "])
def test_an_id_leads_to_the_address_as_the_server_spells_it(url: str, tenant_id: str) -> None:
    assert tenants.api_server_by_id(tenant_id, verify_ssl=True) == "https://api.sd2e.org/"


@pytest.mark.parametrize("address", ["https://api.3dem.org", "https://api.3dem.org/", "HTTPS://API.3DEM.ORG/"])
def test_an_address_leads_to_the_id_whatever_its_slash_and_case(url: str, address: str) -> None:
    assert tenants.id_by_api_server(address, url, True) == "3dem"


def test_an_unknown_id_lists_those_there_are_and_suggests_one(url: str) -> None:
    with pytest.raises(AgaveError, match=r"No tenant 'sd2'. Did you mean 'sd2e'\? Tenants: 3dem, sd2e, tacc.prod\."):
        tenants.api_server_by_id("sd2")


def test_an_unknown_address_lists_those_there_are(url: str) -> None:
    with pytest.raises(AgaveError, match=r"No tenant at https://elsewhere.org\. Tenants: .*https://api\.sd2e\.org/.*"):
        tenants.id_by_api_server("https://elsewhere.org")


# The table


def test_the_table_is_ordered_by_id(capsys: pytest.CaptureFixture[str]) -> None:
    tenants.print_tenants(LISTED)
    assert capsys.readouterr().out.splitlines() == [
        "ID         NAME         URL",
        "3dem                    https://api.3DEM.org",
        "sd2e       SD2E Tenant  https://api.sd2e.org/",
        "tacc.prod  TACC         https://api.tacc.utexas.edu/",
    ]


# Choosing


def test_a_tenant_is_chosen_at_the_terminal(url: str) -> None:
    screen = at_terminal(INIT, (QUESTION, "sd2e"), TAPIS_TENANTS_URL=url)
    lines = screen.text.splitlines()
    assert lines[0].split() == ["ID", "NAME", "URL"]
    assert [line.split()[0] for line in lines[1:4]] == ["3dem", "sd2e", "tacc.prod"]
    assert lines[4:] == [f"{QUESTION}sd2e", "('sd2e', 'https://api.sd2e.org')"]


@pytest.mark.parametrize("typed", ["sd2", "nothing like it"])
def test_a_slip_at_the_terminal_lists_the_tenants(url: str, typed: str) -> None:
    screen = at_terminal(INIT, (QUESTION, typed), TAPIS_TENANTS_URL=url)
    assert f"AgaveError: No tenant {typed!r}." in screen.text
    assert "Tenants: 3dem, sd2e, tacc.prod." in screen.text


def test_without_a_terminal_the_error_says_what_to_set(url: str) -> None:
    said = without_terminal(INIT, TAPIS_TENANTS_URL=url)
    assert "AgaveError: tenant_id is not known, and there is no terminal to ask for it. Set TAPIS_TENANT_ID" in said
    assert "('sd2e', 'https://api.sd2e.org')" in without_terminal(INIT, TAPIS_TENANTS_URL=url, TAPIS_TENANT_ID="sd2e")


def test_an_id_finds_its_address_and_an_address_its_id(url: str) -> None:
    ag = Agave(tenant_id="SD2E")
    tenants.choose(ag)
    assert (ag.tenant_id, ag.api_server) == ("sd2e", "https://api.sd2e.org")
    ag = Agave(api_server="https://api.sd2e.org/")
    tenants.choose(ag)
    assert (ag.tenant_id, ag.api_server) == ("sd2e", "https://api.sd2e.org/")


def test_an_address_asks_its_own_list_first(tenant: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAPIS_TENANTS_URL", raising=False)
    ag = Agave(api_server=tenant.url, verify=tenant.ca_file)
    tenants.choose(ag)
    assert ag.tenant_id == "sandbox"


def test_an_address_without_a_list_of_its_own_is_looked_up_in_the_public_one(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenants, "TENANTS_URL", f"{recorder.url}/public")
    listed = [{"code": "own", "name": "Own", "baseUrl": recorder.url}]
    recorder.script = [Answer(status=404), Answer(body=json.dumps(listed).encode())]
    ag = Agave(api_server=recorder.url)
    tenants.choose(ag)
    assert ag.tenant_id == "own"


def test_an_address_that_does_not_answer_is_what_the_error_is_about(
    tenant: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenants, "TENANTS_URL", "http://127.0.0.1:9/tenants")
    with pytest.raises(requests.exceptions.SSLError, match=f"{tenant.url}/tenants .*set REQUESTS_CA_BUNDLE"):
        tenants.choose(Agave(api_server=tenant.url))
    with pytest.raises(AgaveError, match=r"api_server='127\.0\.0\.1:9': an address begins with https://"):
        tenants.choose(Agave(api_server="127.0.0.1:9"))


def test_a_client_that_knows_both_asks_nobody(url: str, recorder: Recorder) -> None:
    ag = Agave(tenant_id="own", api_server="https://own.example.org")
    tenants.choose(ag)
    assert (ag.tenant_id, ag.api_server) == ("own", "https://own.example.org")
    assert not recorder.received


@pytest.mark.parametrize("known", [{"tenant_id": "nowhere"}, {"api_server": "https://nowhere.org"}])
def test_a_tenant_that_is_not_listed_changes_nothing(url: str, known: Any) -> None:
    ag = Agave(**known)
    with pytest.raises(AgaveError, match="Tenants: "):
        tenants.choose(ag)
    assert (ag.tenant_id, ag.api_server) == (known.get("tenant_id"), known.get("api_server"))


def test_the_settings_of_the_client_reach_the_list(tenant: Sandbox) -> None:
    ag = Agave(api_server=tenant.url, verify=tenant.ca_file)
    tenants.choose(ag, f"{tenant.url}/tenants")
    assert ag.tenant_id == tenant.state.tenant_id
    with pytest.raises(requests.exceptions.ProxyError, match=r"tenants\.list: .*proxies="):
        tenants.choose(Agave(proxies={"https": "http://127.0.0.1:9"}), f"{tenant.url}/tenants")
