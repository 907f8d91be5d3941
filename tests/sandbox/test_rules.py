"""What holds for every list of every service: pages, bare and pretty answers, projection, HEAD, trailing slashes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import requests

from agavepy import specs
from agavepy.sandbox import Sandbox

from .compute import Compute
from .conftest import Http

APART = {"actors"}  # their service has none of the conventions: a query belongs to the program that gets the message

STORAGE = "sandbox-storage"
SINGLE = {"transforms.get", "systems.listCredentialsForInternalUserByType", "jobs.listPermissionsForUser"}


def _lists() -> Iterator[str]:
    for service, document in specs.load().items():
        for item in document["paths"].values():
            if service not in APART and "get" in item and _answers_a_list(item["get"]):
                yield f"{service}.{item['get']['operationId']}"


def _answers_a_list(operation: Mapping[str, Any]) -> bool:
    parts = operation["responses"].get("200", {}).get("schema", {}).get("allOf", [])
    return any(part.get("properties", {}).get("result", {}).get("type") == "array" for part in parts)


LISTS = sorted(_lists())
every_list = pytest.mark.parametrize("operation", LISTS)


@dataclasses.dataclass
class World:
    """A user who may see everything, and the address of a list of each kind that has something in it."""

    http: Http
    addresses: dict[str, str]

    def ask(self, operation: str, query: str = "", *, method: str = "GET", path: str = "") -> requests.Response:
        """Return the answer of a list, with a further query; ``path`` stands for that of the address."""
        own, _, given = self.addresses[operation].partition("?")
        auth = (self.http.user, self.http.password) if operation.startswith("clients.") else None
        parts = "&".join(part for part in (given, query) if part)
        return self.http.request(method, f"/{path or own}?{parts}", auth=auth, allow_redirects=False)

    def result(self, operation: str, query: str = "", *, path: str = "") -> Any:
        answer = self.ask(operation, query, path=path)
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]


@pytest.fixture(scope="module")
def world(tenant: Sandbox) -> Iterator[World]:
    for user in ("ada", "bob"):
        tenant.add_user(user, f"{user}-password")
    with Http(tenant, user="admin", password=tenant.state.credentials.password_of("admin") or "") as http:
        yield World(
            http,
            {
                **_files(http),
                **_systems(http),
                **_apps_and_jobs(tenant, http),
                **_others(http),
                **_meta(http),
                **_telling(http),
            },
        )


def _files(http: Http) -> dict[str, str]:
    home = f"{STORAGE}/{http.user}"
    http.put(f"/files/v2/media/system/{STORAGE}", json={"action": "mkdir", "path": http.user})
    for name in ("a.txt", "b.txt", "c.txt"):
        http.post(f"/files/v2/media/system/{home}", files={"fileToUpload": (name, b"x")})
    for user in ("ada", "bob"):
        http.post(f"/files/v2/pems/system/{home}/a.txt", json={"username": user, "permission": "READ"})
    return {
        "files.list": f"files/v2/listings/system/{home}",
        "files.listOnDefaultSystem": f"files/v2/listings/{http.user}",
        "files.getHistory": f"files/v2/history/system/{home}/a.txt",
        "files.getHistoryOnDefaultSystem": f"files/v2/history/{http.user}/a.txt",
        "files.listPermissions": f"files/v2/pems/system/{home}/a.txt",
        "files.listPermissionsOnDefaultSystem": f"files/v2/pems/{http.user}/a.txt",
    }


def _systems(http: Http) -> dict[str, str]:
    side = {"host": "localhost", "protocol": "LOCAL"}
    system = {
        "id": "rules",
        "name": "rules",
        "type": "EXECUTION",
        "executionType": "CLI",
        "storage": side,
        "login": side,
    }
    http.post("/systems/v2/", json=system)
    for user in ("ada", "bob"):
        http.post("/systems/v2/rules/roles", json={"username": user, "role": "USER"})
        http.post(f"/systems/v2/rules/credentials/{user}", json={"type": "LOCAL"})
    return {
        "systems.list": "systems/v2/",
        "systems.listRoles": "systems/v2/rules/roles",
        "systems.listCredentials": "systems/v2/rules/credentials",
        "systems.listCredentialsForInternalUser": "systems/v2/rules/credentials/ada",
        "systems.listCredentialsForInternalUserByType": "systems/v2/rules/credentials/ada/LOGIN",
    }


def _apps_and_jobs(tenant: Sandbox, http: Http) -> dict[str, str]:
    compute = Compute(tenant, http)
    kinds = {"tags": ["rules"], "ontology": ["rules"]}
    app, _, _ = (compute.app("echo done\n", **kinds) for _ in range(3))
    job, _, _ = (compute.submit(app, archive=False) for _ in range(3))
    tenant.run_until_idle()
    for user in ("ada", "bob"):
        http.post(f"/apps/v2/{app}/pems", json={"username": user, "permission": "READ"})
        http.post(f"/jobs/v2/{job}/pems", json={"username": user, "permission": "READ"})
    return {
        "apps.list": "apps/v2/",
        "apps.listPermissions": f"apps/v2/{app}/pems",
        "apps.listByName": "apps/v2/name/*app*",
        "apps.listByTag": "apps/v2/tag/rules",
        "apps.listByOntologyTerm": "apps/v2/ontology/rules",
        "apps.listBySystemId": "apps/v2/system/sandbox-exec",
        "jobs.list": "jobs/v2/",
        "jobs.getHistory": f"jobs/v2/{job}/history",
        "jobs.listPermissions": f"jobs/v2/{job}/pems",
        "jobs.listPermissionsForUser": f"jobs/v2/{job}/pems/ada",
        "jobs.listOutputs": f"jobs/v2/{job}/outputs/listings",
        "jobs.search": "jobs/v2/search/status/FINISHED",
    }


def _others(http: Http) -> dict[str, str]:
    for name in ("one", "two"):
        account = {"id": name, "password": "a password"}
        assert http.post("/admin/v2/service_accounts", json=account).ok
        assert http.post("/postits/v2/", json={"url": f"{http.base_url}/profiles/v2/me"}).ok
        assert http.post("/clients/v2/", json={"clientName": name}, auth=(http.user, http.password)).ok
    return {
        "admin.listAccounts": "admin/v2/service_accounts",
        "admin.listApis": "admin/v2/apis",
        "admin.listClients": "admin/v2/clients",
        "admin.listRoles": "admin/v2/service_roles",
        "clients.list": "clients/v2/",
        "clients.listSubscriptionsForClient": "clients/v2/one/subscriptions",
        "postits.list": "postits/v2/",
        "profiles.list": "profiles/v2?username=admin,one,two",
        "transforms.get": "transforms/v2/gzip",
        "transforms.list": "transforms/v2/",
        "transforms.listByTag": "transforms/v2/tags/compression",
    }


def _meta(http: Http) -> dict[str, str]:
    items = [http.post("/meta/v2/data/", json={"name": name, "value": name}).json()["result"] for name in "abc"]
    schemas = [http.post("/meta/v2/schemas/", json={"type": kind}).json()["result"] for kind in ("object", "string")]
    for kind, uuid in (("data", items[0]["uuid"]), ("schemas", schemas[0]["uuid"])):
        for user in ("ada", "bob"):
            assert http.post(f"/meta/v2/{kind}/{uuid}/pems", json={"username": user, "permission": "READ"}).ok
    return {
        "meta.listMetadata": "meta/v2/data/",
        "meta.listMetadataPermissions": f"meta/v2/data/{items[0]['uuid']}/pems",
        "meta.searchSchema": "meta/v2/schemas/",
        "meta.listSchemaPermissions": f"meta/v2/schemas/{schemas[0]['uuid']}/pems",
    }


def _telling(http: Http) -> dict[str, str]:
    system = http.get("/systems/v2/sandbox-storage").json()["result"]["uuid"]
    for event in ("CREATED", "UPDATED"):
        notification = {"associatedUuid": system, "event": event, "url": "http://127.0.0.1:9/"}
        assert http.post("/notifications/v2/", json=notification).ok
    for target in ("sandbox-storage", "sandbox-exec"):
        monitor = http.post("/monitors/v2/", json={"target": target, "frequency": 60}).json()["result"]["id"]
    for _ in range(2):
        assert http.post(f"/monitors/v2/{monitor}/checks").ok
    return {
        "monitors.list": "monitors/v2/",
        "monitors.listChecks": f"monitors/v2/{monitor}/checks",
        "notifications.list": "notifications/v2/",
    }


@every_list
def test_a_page_is_cut_out_by_limit_and_offset_or_skip(world: World, operation: str) -> None:
    whole = world.result(operation)
    assert len(whole) >= (1 if operation in SINGLE else 2)
    assert world.result(operation, "limit=1") == whole[:1]
    assert world.result(operation, "limit=1&offset=1") == whole[1:2]
    assert world.result(operation, "limit=1&skip=1") == whole[1:2]
    assert world.result(operation, "limit=-1&offset=-1") == whole[1:2]
    assert world.result(operation, "offset=1000") == []


@every_list
@pytest.mark.parametrize("name", ["limit", "offset", "skip"])
def test_a_bound_that_is_no_number_is_refused(world: World, operation: str, name: str) -> None:
    answer = world.ask(operation, f"{name}=many")
    assert answer.status_code == 400
    assert answer.json()["message"] == f"Illegal integer value for {name}"


@every_list
def test_a_naked_answer_is_the_result_alone(world: World, operation: str) -> None:
    assert world.ask(operation, "naked=true").json() == world.result(operation)
    assert world.ask(operation, "naked=true&limit=many").content.strip() in (b"", b"{}")


@every_list
def test_a_pretty_answer_says_the_same_on_many_lines(world: World, operation: str) -> None:
    plain, pretty = world.ask(operation).text, world.ask(operation, "pretty=true").text
    assert json.loads(pretty) == json.loads(plain)
    assert pretty.startswith('{\n  "status": "success"')
    assert "\n" not in plain


@every_list
def test_filter_keeps_the_fields_it_names(world: World, operation: str) -> None:
    whole = world.result(operation)
    names = list(whole[0])[:2]
    assert {tuple(each) for each in world.result(operation, f"filter={','.join(names)}")} == {tuple(names)}
    assert world.result(operation, "filter=*") == whole


@pytest.mark.parametrize("operation", [name for name in LISTS if not name.startswith("clients.")])
def test_filter_reaches_one_level_down_and_leaves_out_what_is_not_there(world: World, operation: str) -> None:
    # Of clients it takes plain names only, and refuses those it does not know.
    has_links = ["_links" in each for each in world.result(operation)]
    found = world.result(operation, "filter=_links.self,none,none.at")
    assert [set(each) for each in found] == [{"_links"} if has else set() for has in has_links]
    assert all(set(each["_links"]) == {"self"} for each in found if each)


@every_list
def test_head_answers_like_get_without_the_body(world: World, operation: str) -> None:
    get, head = world.ask(operation), world.ask(operation, method="HEAD")
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "content-type"):
        assert head.headers[name] == get.headers[name]


@every_list
def test_both_forms_of_the_address_answer_without_a_redirect(world: World, operation: str) -> None:
    path = world.addresses[operation].partition("?")[0].rstrip("/")
    assert world.result(operation, path=path) == world.result(operation, path=f"{path}/")


@every_list
def test_a_parameter_that_nobody_knows_changes_nothing(world: World, operation: str) -> None:
    assert world.result(operation, "nonsense=1&x.like=2") == world.result(operation)
