"""Every operation of the services that keep files and run jobs, by the client, its answers held against the documents.

The other services have such a test in their own modules.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agavepy import specs
from agavepy.agave import Agave
from agavepy.sandbox import Sandbox

STORAGE, PASSWORD = "sandbox-storage", "a password"
SIDE = {"host": "localhost", "protocol": "LOCAL"}
SYSTEM = {"id": "data", "name": "data", "type": "STORAGE", "storage": SIDE}
APP = {
    "name": "every",
    "version": "0.1.0",
    "executionType": "CLI",
    "parallelism": "SERIAL",
    "executionSystem": "sandbox-exec",
    "deploymentSystem": STORAGE,
    "deploymentPath": "ada",
    "templatePath": "wrapper.sh",
    "testPath": "wrapper.sh",
    "tags": ["tide"],
    "ontology": ["tide"],
    "inputs": [],
    "parameters": [],
}
KEY = {"type": "PASSWORD", "username": "ada", "password": "hidden"}


@pytest.fixture(scope="module")
def tenant() -> Iterator[Sandbox]:
    with Sandbox(users={"ada": PASSWORD, "bob": PASSWORD}) as running:
        yield running


@pytest.fixture
def ag(tenant: Sandbox) -> Iterator[Agave]:
    """A client whose answers are all as the documents say."""
    client = tenant.client("ada")
    yield client
    assert client.drift == []
    client.close()


def assert_all_called(tenant: Sandbox, service: str) -> None:
    """Assert that every operation of a service was called, and that none failed."""
    called = {each["operation"]: each["status"] for each in tenant.requests}
    for name in specs.catalog()[service]():
        status = called.get(f"{service}.{name}")
        assert status is not None, f"{service}.{name} was not called"
        assert status < 400, f"{service}.{name} answered {status}"


def test_files(tenant: Sandbox, ag: Agave) -> None:
    files, at = ag.files, {"systemId": STORAGE, "filePath": "ada/a.txt"}
    files.importData(systemId=STORAGE, filePath="ada", fileToUpload=b"tide", fileName="a.txt")
    files.importToDefaultSystem(sourcefilePath="ada", fileToUpload=b"tide", fileName="b.txt")
    assert files.download(**at).content == files.downloadFromDefaultSystem(sourcefilePath="ada/b.txt").content
    for listed in (files.list(systemId=STORAGE, filePath="ada"), files.listOnDefaultSystem(filePath="ada")):
        assert {".", "a.txt", "b.txt"} <= {each.name for each in listed}
    assert files.getHistory(**at)[0].status == "CREATED"
    assert files.getHistoryOnDefaultSystem(filePath="ada/b.txt")
    files.updatePermissions(**at, body={"username": "bob", "permission": "READ"})
    files.updatePermissionsOnDefaultSystem(filePath="ada/b.txt", body={"username": "bob", "permission": "ALL"})
    assert {each.username for each in files.listPermissions(**at)} == {"ada", "bob"}
    assert len(files.listPermissionsOnDefaultSystem(filePath="ada/b.txt")) == 2
    files.deletePermissions(**at)
    assert files.manage(systemId=STORAGE, filePath="ada", body={"action": "mkdir", "path": "c"}).name == "c"
    files.manageOnDefaultSystem(sourcefilePath="ada", body={"action": "mkdir", "path": "d"})
    files.delete(**at)
    files.deleteFromDefaultSystem(sourcefilePath="ada/b.txt")
    assert_all_called(tenant, "files")


def test_systems(tenant: Sandbox, ag: Agave) -> None:
    systems, at = ag.systems, {"systemId": "data"}
    assert systems.add(body=SYSTEM).id == "data"
    assert systems.get(**at).owner == "ada"
    assert "data" in [each.id for each in systems.list(type="STORAGE")]
    assert systems.update(**at, body={**SYSTEM, "description": "tides"}).description == "tides"
    assert systems.manage(**at, body={"action": "disable"}).available is False
    systems.manage(**at, body={"action": "enable"})
    systems.updateRole(**at, body={"username": "bob", "role": "USER"})
    systems.updateRoleForUser(**at, username="bob", body={"username": "bob", "role": "ADMIN"})
    assert systems.getRoleForUser(**at, username="bob").role == "ADMIN"
    assert {each.username for each in systems.listRoles(**at)} == {"ada", "bob"}
    systems.deleteRoleForUser(**at, username="bob")
    systems.deleteRoles(**at)
    for_bob = {**at, "internalUsername": "bob"}
    systems.updateCredentials(**at, body=KEY)
    systems.updateCredentialsForInternalUser(**for_bob, body=KEY)
    systems.updateCredentialsForInternalUserByType(**for_bob, credentialType="STORAGE", body=KEY)
    assert systems.listCredentials(**at)
    assert systems.listCredentialsForInternalUser(**for_bob)
    assert systems.listCredentialsForInternalUserByType(**for_bob, credentialType="STORAGE")
    systems.deleteCredentialsForInternalUserByType(**for_bob, credentialType="STORAGE")
    systems.updateCredentialsForInternalUser(**for_bob, body=KEY)
    systems.deleteCredentialsForInternalUser(**for_bob)
    systems.deleteCredentials(**at)
    systems.delete(**at)
    assert_all_called(tenant, "systems")


@pytest.fixture
def app(ag: Agave) -> str:
    ag.files.importData(systemId=STORAGE, filePath="ada", fileToUpload=b"echo done > out.txt\n", fileName="wrapper.sh")
    return str(ag.apps.add(body=APP).id)


def test_apps_and_jobs(tenant: Sandbox, ag: Agave, app: str) -> None:
    apps, jobs, bob = ag.apps, ag.jobs, {"username": "bob"}
    assert apps.get(appId=app).owner == "ada"
    assert apps.update(appId=app, body={**APP, "shortDescription": "tides"}).shortDescription == "tides"
    for found in (
        apps.list(),
        apps.listByName(name="every"),
        apps.listByTag(tag="tide"),
        apps.listByOntologyTerm(term="tide"),
        apps.listBySystemId(systemId="sandbox-exec"),
    ):
        assert app in [each.id for each in found]
    assert apps.getJobSubmissionForm(uniqueName=app)
    apps.updateApplicationPermissions(appId=app, body={**bob, "permission": "READ"})
    apps.updatePermissionsForUser(appId=app, username="bob", body={"permission": "ALL"})
    assert len(apps.listPermissions(appId=app)) == 2
    apps.listPermissionsForUser(appId=app, username="bob")
    apps.deletePermissionsForUser(appId=app, username="bob")
    apps.deletePermissions(appId=app)
    apps.manage(appId=app, body={"action": "disable"})
    apps.manage(appId=app, body={"action": "enable"})

    at = {"jobId": jobs.submit(body={"name": "every", "appId": app, "archive": False}).id}
    tenant.run_until_idle()
    assert jobs.getStatus(**at).status == jobs.get(**at).status == "FINISHED"
    assert [each.id for each in jobs.list()] == [each.id for each in jobs.search(attribute="name", value="every")]
    assert "FINISHED" in [each.status for each in jobs.getHistory(**at)]
    assert "out.txt" in [each.name for each in jobs.listOutputs(**at)]
    assert jobs.downloadOutput(**at, filePath="out.txt").content == b"done\n"
    jobs.updatePermissions(**at, body={**bob, "permission": "READ"})
    jobs.updatePermissionsForUser(**at, username="bob", body={**bob, "permission": "ALL"})
    assert len(jobs.listPermissions(**at)) == 2
    jobs.listPermissionsForUser(**at, username="bob")
    jobs.deletePermissionsForUser(**at, username="bob")
    jobs.deletePermissions(**at)
    again = jobs.manage(**at, body={"action": "resubmit"})
    tenant.run_until_idle()
    assert jobs.get(jobId=again.id).status == "FINISHED"
    jobs.delete(**at)
    apps.delete(appId=app)
    assert_all_called(tenant, "jobs")
    assert_all_called(tenant, "apps")


def test_clients(tenant: Sandbox, ag: Agave) -> None:
    clients, at = ag.clients, {"clientName": "every"}
    assert clients.create(body=at).name == "every"
    assert clients.getClientByName(**at).name == "every"
    assert "every" in [each.name for each in clients.list()]
    subscriptions = clients.listSubscriptionsForClient(**at)
    clients.deleteSubscriptionsForClient(**at)
    first = subscriptions[0]
    body = {"apiName": first.apiName, "apiVersion": first.apiVersion, "apiProvider": first.apiProvider}
    clients.addSubscriptionForClient(**at, body=body)
    clients.delete(**at)
    assert_all_called(tenant, "clients")


def test_profiles(tenant: Sandbox) -> None:
    ag = tenant.client("admin")
    profiles, carl = ag.profiles, {"username": "carl", "password": PASSWORD, "email": "carl@example.org"}
    profiles.create(body=carl)
    assert profiles.listByUsername(username="carl").email == "carl@example.org"
    profiles.update(username="carl", body={**carl, "email": "c@example.org"})
    assert [each.email for each in profiles.list(username="carl")] == ["c@example.org"]
    assert profiles.get().username == "admin"
    profiles.delete(username="carl")
    assert_all_called(tenant, "profiles")
    assert ag.drift == []
    ag.close()
