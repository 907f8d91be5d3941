"""Credentials on systems: kept apart by internal user and side, never given back, on no disk."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from agavepy.sandbox import Sandbox

from .conftest import Http
from .schema import checked, refusal

SECRET = "correct-horse-battery"
PASSWORD = {"type": "PASSWORD", "username": "sal", "password": SECRET}
KEYS = {"type": "SSHKEYS", "username": "sal", "publicKey": f"pub-{SECRET}", "privateKey": f"pem-{SECRET}"}

_numbers = itertools.count(1)


@pytest.fixture
def system(http: Http) -> str:
    """An execution system of the default user, empty; its id."""
    side = {"host": "localhost", "port": 22, "protocol": "SFTP", "auth": PASSWORD}
    described = {
        "id": f"exec{next(_numbers)}.example.org",
        "name": "for credentials",
        "type": "EXECUTION",
        "executionType": "CLI",
        "storage": side,
        "login": {**side, "protocol": "SSH"},
    }
    return str(checked(http.post("/systems/v2/", json=described), "systems.add", status=201)["id"])


def listed(http: Http, system: str) -> set[tuple[Any, ...]]:
    found = checked(http.get(f"/systems/v2/{system}/credentials"), "systems.listCredentials")
    return {(each["internalUsername"], each["parentType"], each["type"], each["default"]) for each in found}


OWN = {(None, "storage", "PASSWORD", True), (None, "login", "PASSWORD", True)}


def test_the_credentials_of_a_system_itself_are_listed_as_the_default_ones(http: Http, system: str) -> None:
    assert listed(http, system) == OWN


def test_a_credential_of_an_internal_user_serves_storage_and_login(http: Http, system: str) -> None:
    address = f"/systems/v2/{system}/credentials/ada"
    checked(http.post(address, json=KEYS), "systems.updateCredentialsForInternalUser", status=201)
    assert listed(http, system) == OWN | {("ada", "storage", "SSHKEYS", False), ("ada", "login", "SSHKEYS", False)}
    found = checked(http.get(address), "systems.listCredentialsForInternalUser")
    assert [each["_links"]["self"]["href"] for each in found] == [
        f"{http.base_url}{address}/login",
        f"{http.base_url}{address}/storage",
    ]


def test_one_side_is_stored_shown_and_deleted_alone(http: Http, system: str) -> None:
    address = f"/systems/v2/{system}/credentials/bo"
    checked(http.post(address, json=KEYS), "systems.updateCredentialsForInternalUser", status=201)
    operation = "systems.updateCredentialsForInternalUserByType"
    checked(http.post(f"{address}/LOGIN", json=PASSWORD), operation, status=201)
    [login] = checked(http.get(f"{address}/login"), "systems.listCredentialsForInternalUserByType")
    assert (login["type"], login["valid"]) == ("PASSWORD", True)
    checked(http.delete(f"{address}/LOGIN"), "systems.deleteCredentialsForInternalUserByType")
    assert listed(http, system) == OWN | {("bo", "storage", "SSHKEYS", False)}
    refusal(http.delete(f"{address}/LOGIN"), status=404)


def test_a_credential_without_an_internal_user_replaces_the_system_s_own(http: Http, system: str) -> None:
    answer = http.post(f"/systems/v2/{system}/credentials", json=KEYS)
    checked(answer, "systems.updateCredentials", status=201)
    assert listed(http, system) == {(None, "storage", "SSHKEYS", True), (None, "login", "SSHKEYS", True)}
    assert checked(http.get(f"/systems/v2/{system}"), "systems.get")["login"]["auth"] == {"type": "SSHKEYS"}


def test_deleting_all_leaves_the_system_s_own(http: Http, system: str) -> None:
    checked(
        http.post(f"/systems/v2/{system}/credentials", json={**KEYS, "internalUsername": "cy"}),
        "systems.updateCredentials",
        status=201,
    )
    checked(http.post(f"/systems/v2/{system}/credentials/di", json=KEYS), "systems.updateCredentials", status=201)
    checked(http.delete(f"/systems/v2/{system}/credentials/di"), "systems.deleteCredentialsForInternalUser")
    assert {owner for owner, *_ in listed(http, system)} == {None, "cy"}
    checked(http.delete(f"/systems/v2/{system}/credentials"), "systems.deleteCredentials")
    assert listed(http, system) == OWN


def test_secrets_are_in_no_answer_and_in_no_file(tenant: Sandbox, http: Http, system: str) -> None:
    http.post(f"/systems/v2/{system}/credentials", json=KEYS)
    http.post(f"/systems/v2/{system}/credentials/eve", json=PASSWORD)
    assert SECRET not in http.get(f"/systems/v2/{system}/credentials").text
    files = [path for path in tenant.root.rglob("*") if path.is_file()]
    assert tenant.root / "tenant.sqlite" in files
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "credential.type"),
        ({"type": "GUESS"}, "credential.type"),
        ({"type": "PASSWORD", "username": "sal"}, "credential.password"),
        ({**PASSWORD, "privateKey": "x"}, "credential.privateKey"),
        ({**KEYS, "publicKey": 7}, "credential.publicKey"),
        ([], "'credential'"),
    ],
)
def test_a_credential_that_lacks_something_is_refused(http: Http, system: str, body: Any, named: str) -> None:
    message = refusal(http.post(f"/systems/v2/{system}/credentials/ada", json=body), status=400)
    assert named in message
    assert SECRET not in message


@pytest.mark.parametrize("address", ["a%2Fb", "..", "%2e%2e%2fx", "ada/disk"])
def test_an_impossible_internal_user_or_side_is_refused(http: Http, system: str, address: str) -> None:
    refusal(http.post(f"/systems/v2/{system}/credentials/{address}", json=KEYS), status=400)


def test_storage_systems_have_no_login(admin: Http) -> None:
    answer = admin.post("/systems/v2/sandbox-storage/credentials/ada/LOGIN", json=KEYS)
    assert "for storage" in refusal(answer, status=400)


def test_only_managers_see_or_change_credentials(http: Http, other: Http, system: str) -> None:
    http.post(f"/systems/v2/{system}/roles", json={"username": other.user, "role": "PUBLISHER"})
    address = f"/systems/v2/{system}/credentials"
    for answer in (other.get(address), other.post(address, json=KEYS), other.delete(address)):
        refusal(answer, status=403)
    refusal(other.post(f"{address}/ada", json=KEYS), status=403)
    refusal(other.get(f"{address}/ada"), status=403)


def test_an_internal_user_without_a_credential_is_not_found(http: Http, system: str) -> None:
    refusal(http.get(f"/systems/v2/{system}/credentials/nobody"), status=404)
    refusal(http.delete(f"/systems/v2/{system}/credentials/nobody"), status=404)


def test_a_cloned_or_erased_system_passes_no_credential_on(http: Http, admin: Http, system: str) -> None:
    http.post(f"/systems/v2/{system}/credentials/ada", json=KEYS)
    clone = f"{system}.clone"
    http.put(f"/systems/v2/{system}", json={"action": "clone", "id": clone})
    assert listed(http, clone) == set()
    admin.put(f"/systems/v2/{system}", json={"action": "erase"})
    refusal(http.get(f"/systems/v2/{system}/credentials"), status=404)
