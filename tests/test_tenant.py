"""The straight line: the client and the sandbox tenant, each made from the same documents, talking to each other."""

from __future__ import annotations

import contextlib
import datetime
import os
import string
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agavepy.agave import Agave, AgaveException
from agavepy.errors import AgaveHTTPError
from agavepy.sandbox import ManualClock, Sandbox

IS_FULL_CAMPAIGN = os.environ.get("AGAVEPY_CAMPAIGN") == "full"
SYSTEM = {
    "id": "paths.example.org",
    "name": "For generated paths",
    "type": "STORAGE",
    "storage": {"protocol": "LOCAL", "host": "localhost", "rootDir": "/", "homeDir": "/home/here"},
}


@pytest.fixture(scope="module")
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="module")
def tenant(clock: ManualClock) -> Iterator[Sandbox]:
    with Sandbox(tls=True, token_ttl_s=3600, clock=clock) as running:
        yield running


@pytest.fixture
def ag(tenant: Sandbox) -> Iterator[Agave]:
    client = tenant.client()
    yield client
    client.close()


@pytest.fixture(scope="module")
def owner(tenant: Sandbox) -> Iterator[Agave]:
    """A client whose user owns a private storage system."""
    client = tenant.client()
    client.systems.add(body=SYSTEM)
    yield client
    client.close()


def test_a_session_from_name_and_password_alone(tenant: Sandbox) -> None:
    ag = Agave(api_server=tenant.url, username=tenant.username, password=tenant.password, verify=tenant.ca_file)
    made = ag.clients.create(body={"clientName": "from-scratch"})
    assert made.consumerKey == ag.api_key
    assert ag.profiles.get().username == tenant.username
    assert ag.clients.delete(clientName="from-scratch") is None


def test_a_client_for_each_user(tenant: Sandbox) -> None:
    tenant.add_user("ana", "ana's own")
    with contextlib.closing(tenant.client("ana")) as ana, contextlib.closing(tenant.client("admin")) as admin:
        assert ana.profiles.get().username == "ana"
        assert admin.profiles.get().username == "admin"
    with pytest.raises(ValueError, match="The password of 'nobody' is not known"):
        tenant.client("nobody")
    assert repr(tenant) == f"<Sandbox {tenant.url}, user sandbox>"


def test_dates_and_envelopes_of_a_real_server(ag: Agave) -> None:
    system = ag.systems.get(systemId="sandbox-storage")
    assert isinstance(system.lastModified, datetime.datetime)
    assert system.storage.protocol == "LOCAL"
    assert ag.drift == []


def test_both_sides_agree_on_all_that_a_first_hour_touches(ag: Agave, tenant: Sandbox) -> None:
    home = tenant.username
    ag.files.manage(systemId="sandbox-storage", filePath=home, body={"action": "mkdir", "path": "agree"})
    ag.files.importData(systemId="sandbox-storage", filePath=f"{home}/agree", fileToUpload=b"x", fileName="a.txt")
    ag.files.list(systemId="sandbox-storage", filePath=f"{home}/agree")
    ag.files.getHistory(systemId="sandbox-storage", filePath=f"{home}/agree/a.txt")
    ag.files.listPermissions(systemId="sandbox-storage", filePath=f"{home}/agree/a.txt")
    ag.systems.list(default=True)
    ag.apps.list(privateOnly=True)
    ag.jobs.list(limit=1)
    ag.profiles.list(username=home)
    ag.clients.list()
    assert ag.drift == []


def test_what_a_service_does_not_do_it_says(ag: Agave, tenant: Sandbox) -> None:
    with pytest.raises(AgaveHTTPError, match=r"^501 Server Error: .* - Action index not supported"):
        ag.files.manage(systemId="sandbox-storage", filePath=tenant.username, body={"action": "index", "path": "x"})


def test_an_expired_token_is_a_clear_error(tenant: Sandbox, clock: ManualClock) -> None:
    ag = Agave(api_server=tenant.url, token=tenant.client().token, verify=tenant.ca_file)
    clock.advance(3601)
    with pytest.raises(
        AgaveHTTPError, match="^401 Client Error: .* - Access Token Expired - Log in: run 'agavepy login'"
    ):
        ag.systems.list()


def test_a_token_nobody_issued_is_a_fault_of_the_gateway(tenant: Sandbox) -> None:
    with pytest.raises(AgaveException, match="Invalid Credentials"):
        Agave(api_server=tenant.url, token="nonsense", verify=tenant.ca_file).systems.list()


def test_a_certificate_that_is_not_trusted_says_what_to_pass(tenant: Sandbox) -> None:
    with pytest.raises(requests.exceptions.SSLError, match=r"pass verify='/path/of/ca\.pem'"):
        Agave(api_server=tenant.url, token="t", verify=True).systems.list()


def test_http_asked_of_a_server_that_speaks_tls(tenant: Sandbox) -> None:
    with pytest.raises(requests.exceptions.RequestException, match=r"systems\.add: no answer from http://"):
        Agave(api_server=tenant.url.replace("https", "http"), token="t").systems.add(body=SYSTEM)


def test_an_explicit_verify_wins_over_the_environment(tenant: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/bundle.pem")
    assert tenant.client().profiles.get().username == tenant.username


def test_the_environment_names_the_ca_when_nothing_else_does(tenant: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tenant.ca_file))
    with pytest.raises(AgaveException):
        Agave(api_server=tenant.url, token="nonsense").systems.list()


def test_the_request_log_tells_what_came_in(ag: Agave, tenant: Sandbox) -> None:
    ag.systems.get(systemId="sandbox-exec")
    last = tenant.requests[-1]
    assert (last["method"], last["path"], last["status"]) == ("GET", "/systems/v2/sandbox-exec", 200)
    assert (last["operation"], last["user"]) == ("systems.get", tenant.username)


def test_ranges_are_answered(ag: Agave, tenant: Sandbox) -> None:
    ag.files.importData(
        systemId="sandbox-storage", filePath=tenant.username, fileToUpload=b"0123456789", fileName="digits"
    )
    path = f"{tenant.username}/digits"
    part = ag.files.download(systemId="sandbox-storage", filePath=path, headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.content) == (206, b"234")


# Generated paths: none reaches another target than the one named

TROUBLE = st.sampled_from([*"#?%;+& \\:*'\"~@=,|<>^`{}[]$!", "%20", "%2", "..", "é", "日", "\u202e", "\n", "😀"])
LETTERS = st.sampled_from(string.ascii_letters + string.digits + "._-")
UNICODE = st.characters(codec="utf-8", exclude_characters="/\x00")
NAMES = (
    st.lists(st.one_of(TROUBLE, LETTERS, UNICODE), min_size=1, max_size=12)
    .map("".join)
    .filter(lambda name: name not in (".", "..") and len(name.encode()) <= 200)
)
SLASHES = st.sampled_from(["", "/", "//"])


@pytest.mark.campaign
@settings(
    max_examples=10_000 if IS_FULL_CAMPAIGN else 150,
    deadline=None,
    derandomize=not IS_FULL_CAMPAIGN,
    suppress_health_check=list(HealthCheck),
)
@given(folder=NAMES, name=NAMES, leading=SLASHES, trailing=SLASHES)
def test_a_generated_path_reaches_its_own_target_and_no_other(
    owner: Agave, tenant: Sandbox, folder: str, name: str, leading: str, trailing: str
) -> None:
    # A name that holds a percent sign is quoted by the caller first: a valid triplet would be kept as one.
    sent = [urllib.parse.quote(part, safe="") if "%" in part else part for part in (folder, name)]
    base = tenant.root / "systems" / SYSTEM["id"]
    real = base / "home/here" / folder if not leading else base / folder
    before = everything_below(base)

    call: dict[str, Any] = {"systemId": SYSTEM["id"]}
    owner.files.manage(**call, filePath=leading, body={"action": "mkdir", "path": folder})
    owner.files.importData(**call, filePath=f"{leading}{sent[0]}{trailing}", fileToUpload=b"content", fileName=name)
    assert everything_below(base) - before == {str(real), str(real / name)}

    listed = owner.files.list(**call, filePath=f"{leading}{sent[0]}{trailing}")
    assert [entry.name for entry in listed[1:]] == [name]
    assert owner.files.download(**call, filePath=f"{leading}{sent[0]}/{sent[1]}").content == b"content"

    owner.files.delete(**call, filePath=f"{leading}{sent[0]}/{sent[1]}{trailing}")
    assert everything_below(base) - before == {str(real)}
    owner.files.delete(**call, filePath=f"{leading}{sent[0]}")
    assert everything_below(base) == before


def everything_below(base: Any) -> set[str]:
    return {os.path.join(folder, name) for folder, folders, files in os.walk(base) for name in (*folders, *files)}


def test_both_sides_agree_on_credentials_and_on_the_form_of_an_app(tenant: Sandbox, owner: Agave) -> None:
    key = {"type": "SSHKEYS", "username": "sal", "publicKey": "public", "privateKey": "private"}
    place = {"systemId": SYSTEM["id"], "internalUsername": "ada"}
    owner.systems.updateCredentials(systemId=SYSTEM["id"], body=key)
    owner.systems.updateCredentialsForInternalUser(**place, body=key)
    owner.systems.updateCredentialsForInternalUserByType(**place, credentialType="STORAGE", body=key)
    assert [each.default for each in owner.systems.listCredentials(systemId=SYSTEM["id"])] == [True, False]
    [found] = owner.systems.listCredentialsForInternalUser(**place)
    assert owner.systems.listCredentialsForInternalUserByType(**place, credentialType="STORAGE") == [found]
    owner.systems.deleteCredentialsForInternalUserByType(**place, credentialType="STORAGE")
    owner.systems.updateCredentialsForInternalUser(**place, body=key)
    owner.systems.deleteCredentialsForInternalUser(**place)
    owner.systems.deleteCredentials(systemId=SYSTEM["id"])
    with pytest.raises(AgaveHTTPError, match="No software found"):
        owner.apps.getJobSubmissionForm(uniqueName="none-0.1.0")
    assert owner.drift == []


def test_both_sides_agree_on_postits(ag: Agave, tenant: Sandbox) -> None:
    postit = ag.postits.create(body={"url": f"{tenant.url}/profiles/v2/me", "maxUses": 2})
    answer = requests.get(postit._links.self.href, verify=tenant.ca_file, timeout=30)
    assert answer.json()["result"]["username"] == tenant.username
    [listed] = [each for each in ag.postits.list() if each.postit == postit.postit]
    assert listed.remainingUses == 1
    ag.postits.delete(uuid=postit.postit)
    assert ag.drift == []


def test_both_sides_agree_on_transforms(ag: Agave, tenant: Sandbox) -> None:
    home = f"agave://sandbox-storage/{tenant.username}"
    ag.files.importData(systemId="sandbox-storage", filePath=tenant.username, fileToUpload=b"a\n1\n", fileName="t.csv")
    assert [each.name for each in ag.transforms.get(transformId="csv-json")] == ["csv-json"]
    assert ag.transforms.listByTag(tag="table") == ag.transforms.list()[2:3]
    asked = {"transformId": "csv-json", "owner": tenant.username, "filePath": "t.csv", "body": {"url": home}}
    assert ag.transforms.transformAndDownload(**asked).json() == [{"a": "1"}]
    ag.transforms.transformAndStage(**asked)
    tenant.run_until_idle()
    found = ag.files.download(systemId="sandbox-storage", filePath=f"{tenant.username}/t.csv.json")
    assert found.json() == [{"a": "1"}]
    assert ag.drift == []


def test_both_sides_agree_on_the_administration_of_a_tenant(tenant: Sandbox) -> None:
    with contextlib.closing(tenant.client("admin")) as ag:
        ag.admin.addRole(body={"id": "robots"})
        ag.admin.addAccount(body={"id": "robot", "password": "secret", "roles": []})
        ag.admin.addRoleToAccount(accountId="robot", body={"role_id": "robots"})
        assert ag.admin.listAccountRoles(accountId="robot").roles == ["robots"]
        assert ag.admin.listAccountsInRole(roleId="robots").accounts == ["robot"]
        ag.admin.deleteRoleFromAccount(accountId="robot", roleId="robots")
        assert ag.admin.addAccountToRole(roleId="robots", body={"account_id": "robot"}) == ag.admin.getRole(
            roleId="robots"
        )
        ag.admin.deleteAccountFromRole(accountId="robot", roleId="robots")
        ag.admin.updateAccount(accountId="robot", body={"password": "another"})
        assert [each.id for each in ag.admin.listAccounts()] == ["robot"]
        assert ag.admin.getAccount(accountId="robot").roles == []
        ag.admin.deleteAccount(accountId="robot")
        ag.admin.deleteRole(roleId="robots")
        assert "robots" not in [each.id for each in ag.admin.listRoles()]
        assert {"admin", tenant.username} <= {each.owner for each in ag.admin.listClients()}
        made = ag.admin.addApi(body={"api_name": "Widgets", "context": "/widgets", "url": "http://127.0.0.1:1"})
        assert ag.admin.updateApiStatus(apiId=made.id, body={"status": "BLOCKED"}).status == "BLOCKED"
        assert ag.admin.getApi(apiId=made.id).name == "Widgets"
        assert made.id in [each.id for each in ag.admin.listApis()]
        ag.admin.deleteApi(apiId=made.id)
        assert ag.drift == []
