"""The page of a tenant and its documents: for everybody, with nothing in them that is somebody's own."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import requests
import yaml

from agavepy import specs
from agavepy.sandbox import ManualClock, Sandbox

from .compute import Compute
from .conftest import TIMEOUT_S, Http
from .schema import refusal


@pytest.fixture
def tenant(clock: ManualClock) -> Iterator[Sandbox]:
    with Sandbox(clock=clock, tenant_id="tidal") as running:
        yield running


def get(tenant: Sandbox, path: str, **more: str) -> requests.Response:
    """Return what somebody who is not logged in gets."""
    return requests.get(f"{tenant.url}{path}", headers=more, timeout=TIMEOUT_S)


def figures(page: str) -> dict[str, str]:
    found = re.findall(r"<li><b>([0-9,]+)</b>(\w+)(?:<small>([^<]*)</small>)?", page)
    return {what: f"{count} {more}".strip() for count, what, more in found}


def test_the_page_tells_how_much_there_is(tenant: Sandbox, http: Http, compute: Compute) -> None:
    compute.run(compute.app("true\n"))
    compute.submit(compute.app("sleep 600\n"))
    before = figures(get(tenant, "/").text)
    http.post("/files/v2/media/system/sandbox-storage/sandbox", files={"fileToUpload": ("a", b"x")}).raise_for_status()
    seen = figures(get(tenant, "/").text)
    assert (seen["users"], seen["systems"]) == ("2", "2")
    assert seen["jobs"] == "2 1 under way, 1 finished"
    assert int(seen["files"].split()[0]) > int(before["files"].split()[0])


def test_the_page_names_nothing_of_anybody(tenant: Sandbox, http: Http, compute: Compute) -> None:
    tenant.add_user("wilhelmina", "her-password")
    http.post(
        "/files/v2/media/system/sandbox-storage/sandbox", files={"fileToUpload": ("private.txt", b"x")}
    ).raise_for_status()
    job = compute.run(compute.app("true\n"), name="my-secret-job")
    page = get(tenant, "/").text
    key, secret = tenant.api_client()
    private = ("wilhelmina", "private.txt", "my-secret-job", job["id"], job["appId"], str(tenant.root))
    assert [each for each in (*private, tenant.password, key, secret) if each in page] == []


def test_the_page_needs_no_script_and_allows_none(tenant: Sandbox) -> None:
    answer = get(tenant, "/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "script" not in answer.text
    assert "<h1>Tenant tidal</h1>" in answer.text


def test_the_page_links_every_document_and_each_is_the_one_that_is_served(tenant: Sandbox) -> None:
    links = re.findall(r'href="([^"]+)"', get(tenant, "/").text)
    assert links == [f"/docs/{name}.yaml" for name in sorted(specs.load())]
    for link in links:
        answer = get(tenant, link)
        assert answer.headers["content-type"] == "text/yaml; charset=utf-8"
        assert yaml.safe_load(answer.content) == specs.load()[link[6:-5]]


@pytest.mark.parametrize(
    "path", ["nothing.yaml", "", "files", "../tenant.sqlite.yaml", "%2e%2e/%2e%2e/credentials.json", "files.yaml/"]
)
def test_another_document_is_not_found(tenant: Sandbox, path: str) -> None:
    assert "files.yaml" in refusal(get(tenant, f"/docs/{path.replace('..', '%2E%2E')}"), status=404)


def test_the_page_is_also_for_programs_that_only_look(tenant: Sandbox) -> None:
    answer = requests.head(f"{tenant.url}/", timeout=TIMEOUT_S)
    assert (answer.status_code, answer.content) == (200, b"")
    assert requests.post(f"{tenant.url}/", timeout=TIMEOUT_S).status_code in (401, 404)


def test_the_page_calls_the_tenant_as_its_reader_does_unless_that_is_another_machine(tenant: Sandbox) -> None:
    port = tenant.url.rpartition(":")[2]
    assert f"http://localhost:{port}&quot;" in get(tenant, "/", Host=f"localhost:{port}").text
    assert "evil.example" not in get(tenant, "/", Host=f"evil.example:{port}").text
