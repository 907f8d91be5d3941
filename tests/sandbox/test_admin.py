"""The admin service: service accounts that log in, roles that matter, every client, APIs behind the gateway."""

from __future__ import annotations

import http.server
import itertools
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from agavepy import specs
from agavepy.sandbox import Sandbox, forwarding

from .conftest import TIMEOUT_S, Http
from .schema import checked, refusal

PASSWORD = "robots-password"
_numbers = itertools.count(1)


def account(admin: Http, *roles: str) -> str:
    """Make a service account with roles; return its id."""
    name = f"robot{next(_numbers)}"
    body = {"id": name, "password": PASSWORD, "roles": list(roles)}
    checked(admin.post("/admin/v2/service_accounts", json=body), "admin.addAccount", status=201)
    return name


def role(admin: Http) -> str:
    """Make a role; return its id."""
    name = f"role{next(_numbers)}"
    checked(admin.post("/admin/v2/service_roles", json={"id": name}), "admin.addRole", status=201)
    return name


def robot(tenant: Sandbox, name: str) -> Http:
    return Http(tenant, user=name, password=PASSWORD)


# Who may


@pytest.mark.parametrize("operation", list(specs.load()["admin"]["paths"].items()), ids=lambda operation: operation[0])
def test_nobody_but_administrators_may_do_anything(http: Http, operation: tuple[str, Any]) -> None:
    path, item = operation
    for verb in ("get", "post", "put", "delete"):
        if verb in item:
            refusal(http.request(verb, path.replace("{", "").replace("}", ""), json={}), status=403)


# Service accounts


def test_an_account_is_shown_with_its_roles_and_without_its_password(admin: Http) -> None:
    name = account(admin, "impersonator")
    answer = admin.get(f"/admin/v2/service_accounts/{name}")
    found = checked(answer, "admin.getAccount")
    assert (found["id"], found["roles"]) == (name, ["impersonator"])
    assert PASSWORD not in answer.text
    listed = checked(admin.get("/admin/v2/service_accounts"), "admin.listAccounts")
    assert name in [each["id"] for each in listed]
    assert not {"admin", "sandbox"} & {each["id"] for each in listed}


def test_an_account_logs_in_and_works_like_a_user(tenant: Sandbox, admin: Http) -> None:
    with robot(tenant, account(admin)) as session:
        assert checked(session.get("/profiles/v2/me"), "profiles.get")["username"] == session.user
        checked(session.get(f"/files/v2/listings/system/sandbox-storage/{session.user}"), "files.list")


def test_a_new_password_replaces_the_old_one_and_the_roles_stay(tenant: Sandbox, admin: Http) -> None:
    name = account(admin, "impersonator")
    address = f"/admin/v2/service_accounts/{name}"
    assert checked(admin.put(address, json={"password": "another"}), "admin.updateAccount")["roles"] == ["impersonator"]
    assert not tenant.state.accounts.verify(name, PASSWORD)
    assert tenant.state.accounts.verify(name, "another")
    assert checked(admin.put(address, json={"id": name, "roles": []}), "admin.updateAccount")["roles"] == []
    assert tenant.state.accounts.verify(name, "another")


def test_a_deleted_account_is_out_and_its_name_stays_taken(tenant: Sandbox, admin: Http) -> None:
    name = account(admin)
    with robot(tenant, name) as session:
        checked(admin.delete(f"/admin/v2/service_accounts/{name}"), "admin.deleteAccount")
        assert session.get("/profiles/v2/me").status_code == 401
    refusal(admin.get(f"/admin/v2/service_accounts/{name}"), status=404)
    body = {"id": name, "password": PASSWORD}
    assert "stays taken" in refusal(admin.post("/admin/v2/service_accounts", json=body), status=400)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        *(({"id": "a/b"}, 400), ({"id": ""}, 400), ({"id": "sandbox"}, 400), ({"password": None}, 400)),
        *(({"password": ""}, 400), ({"password": 7}, 400), ({"roles": "x"}, 400), ({"roles": ["none"]}, 404)),
    ],
)
def test_a_wrong_account_is_refused_and_leaves_nothing(admin: Http, changes: dict[str, Any], status: int) -> None:
    body = {"id": "halfway", "password": PASSWORD, "roles": [], **changes}
    assert PASSWORD not in refusal(admin.post("/admin/v2/service_accounts", json=body), status=status)
    refusal(admin.get("/admin/v2/service_accounts/halfway"), status=404)
    refusal(admin.get("/profiles/v2/halfway"), status=404)


def test_users_are_no_service_accounts(admin: Http) -> None:
    refusal(admin.get("/admin/v2/service_accounts/sandbox"), status=404)
    refusal(admin.delete("/admin/v2/service_accounts/admin"), status=404)
    refusal(admin.post("/admin/v2/service_accounts/sandbox/roles", json={"role_id": "tenant-admin"}), status=404)


# Roles


def test_the_roles_with_a_meaning_are_there_and_stay(admin: Http) -> None:
    found = [each["id"] for each in checked(admin.get("/admin/v2/service_roles"), "admin.listRoles")]
    assert {"impersonator", "tenant-admin", "user-account-manager"} <= set(found)
    assert "built in" in refusal(admin.delete("/admin/v2/service_roles/tenant-admin"), status=400)


def test_a_role_is_given_and_taken_from_both_sides(admin: Http) -> None:
    name, made = account(admin), role(admin)
    by_account, by_role = f"/admin/v2/service_accounts/{name}/roles", f"/admin/v2/service_roles/{made}/service_accounts"
    given = checked(admin.post(by_account, json={"role_id": made}), "admin.addRoleToAccount", status=201)
    assert given["roles"] == [made]
    assert checked(admin.get(by_role), "admin.listAccountsInRole")["accounts"] == [name]
    checked(admin.delete(f"{by_role}/{name}"), "admin.deleteAccountFromRole")
    assert checked(admin.get(by_account), "admin.listAccountRoles")["roles"] == []
    given = checked(admin.post(by_role, json={"account_id": name}), "admin.addAccountToRole", status=201)
    assert given["accounts"] == [name]
    checked(admin.delete(f"{by_account}/{made}"), "admin.deleteRoleFromAccount")
    assert checked(admin.get(f"/admin/v2/service_roles/{made}"), "admin.getRole")["accounts"] == []
    refusal(admin.delete(f"{by_account}/{made}"), status=404)


def test_a_deleted_role_is_taken_from_everybody(admin: Http) -> None:
    made = role(admin)
    name = account(admin, made)
    checked(admin.delete(f"/admin/v2/service_roles/{made}"), "admin.deleteRole")
    assert checked(admin.get(f"/admin/v2/service_accounts/{name}"), "admin.getAccount")["roles"] == []
    refusal(admin.get(f"/admin/v2/service_roles/{made}"), status=404)


def test_a_role_is_made_once_and_has_a_plain_name(admin: Http) -> None:
    made = role(admin)
    for name in (made, "tenant-admin", "a b", "../x"):
        refusal(admin.post("/admin/v2/service_roles", json={"id": name}), status=400)
    refusal(admin.post("/admin/v2/service_accounts/x/roles", json={}), status=400)


def test_a_tenant_admin_administers_from_the_next_request_on(tenant: Sandbox, admin: Http) -> None:
    name = account(admin)
    with robot(tenant, name) as session:
        refusal(session.get("/admin/v2/clients"), status=403)
        admin.post(f"/admin/v2/service_accounts/{name}/roles", json={"role_id": "tenant-admin"})
        checked(session.get("/admin/v2/clients"), "admin.listClients")
        admin.delete(f"/admin/v2/service_accounts/{name}/roles/tenant-admin")
        refusal(session.get("/admin/v2/clients"), status=403)


def test_an_account_manager_manages_users_but_nobody_with_powers(tenant: Sandbox, admin: Http) -> None:
    with robot(tenant, account(admin, "user-account-manager")) as manager:
        body = {"username": "managed", "password": "secret", "email": "m@example.org"}
        assert manager.post("/profiles/v2", json=body).ok
        assert manager.put("/profiles/v2/managed", json={"city": "Köln"}).ok
        assert manager.delete("/profiles/v2/managed").ok
        for name in ("admin", account(admin, "tenant-admin")):
            refusal(manager.put(f"/profiles/v2/{name}", json={"password": "mine now"}), status=403)
            refusal(manager.delete(f"/profiles/v2/{name}"), status=403)


def impersonate(session: Http, other: str) -> requests.Response:
    form = {"grant_type": "admin_password", "username": session.user, "password": session.password}
    return session.post("/token", auth=(session.key, session.secret), data={**form, "token_username": other})


def test_an_impersonator_gets_tokens_of_users_but_of_nobody_with_powers(tenant: Sandbox, admin: Http) -> None:
    with robot(tenant, account(admin, "impersonator")) as session:
        token = impersonate(session, "sandbox").json()["access_token"]
        answer = session.get("/profiles/v2/me", headers={"Authorization": f"Bearer {token}"})
        assert checked(answer, "profiles.get")["username"] == "sandbox"
        for name in ("admin", account(admin, "user-account-manager"), "nobody"):
            assert impersonate(session, name).json()["error"] == "invalid_grant"
    with robot(tenant, account(admin)) as session:
        assert impersonate(session, "sandbox").json()["error"] == "invalid_grant"


# Clients


def test_the_clients_of_all_users_are_listed_without_their_credentials(http: Http, admin: Http) -> None:
    answer = admin.get("/admin/v2/clients?limit=250")
    found = checked(answer, "admin.listClients")
    assert {"admin", "sandbox"} <= {each["owner"] for each in found if each["clientName"] == "DefaultApplication"}
    assert http.key not in answer.text
    assert len({each["id"] for each in found}) == len(found)


# APIs


class _Echo(http.server.BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        lines = [self.command, self.path, str(self.headers["x-agave-user"]), str(self.headers["authorization"])]
        self.send_response(418)
        self.send_header("content-type", "text/plain")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write("\n".join(lines).encode() + b"\n" + body)

    do_POST = do_HEAD = do_GET

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def echo() -> Iterator[str]:
    """The address of a service that stands behind an API."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/base"
        server.shutdown()
        thread.join()


def api(admin: Http, url: str, **changes: Any) -> dict[str, Any]:
    name = f"widgets{next(_numbers)}"
    body = {"api_name": name, "context": f"/{name}", "url": url, **changes}
    made: dict[str, Any] = checked(admin.post("/admin/v2/apis", json=body), "admin.addApi", status=201)
    return made


def subscribe(http: Http, name: str) -> None:
    address = "/clients/v2/DefaultApplication/subscriptions"
    answer = http.post(address, json={"apiName": name}, auth=(http.user, http.password))
    assert answer.ok, answer.text


def test_the_tenants_own_apis_are_listed_with_the_routes_of_their_documents(admin: Http) -> None:
    listed = checked(admin.get("/admin/v2/apis"), "admin.listApis")
    assert {"Files", "Jobs", "Systems"} <= {each["name"] for each in listed if each["status"] == "PUBLISHED"}
    found = checked(admin.get("/admin/v2/apis/Files-v2"), "admin.getApi")
    methods = {each["route"]: each["methods"] for each in found["templates"]}
    assert methods["/files/v2/media/system/{systemId}/{filePath}"] == "GET,POST,PUT,DELETE"
    assert found["context"] == "/files"


def test_an_api_that_is_added_answers_to_subscribers(http: Http, admin: Http, echo: str) -> None:
    made = api(admin, echo)
    address = f"{made['context']}/a%2Fb?x=%20y"
    assert http.get(address).json()["fault"]["code"] == 900908
    subscribe(http, made["name"])
    answer = http.post(address, data=b"\x00body")
    assert (answer.status_code, answer.headers["content-type"]) == (418, "text/plain")
    assert answer.content == f"POST\n/base/a%2Fb?x=%20y\n{http.user}\nNone\n".encode() + b"\x00body"
    assert requests.get(f"{http.base_url}{address}", timeout=TIMEOUT_S).status_code == 401


def test_an_answer_that_is_too_large_is_a_bad_gateway(
    http: Http, admin: Http, echo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarding, "_MOST_BYTES", 10)
    made = api(admin, echo, auth=["none"])
    assert "more than 10 bytes" in refusal(http.get(made["context"]), status=502)


@pytest.mark.parametrize("path", ["/%2e%2e/x", "/a/%2E%2E", "/%2e", "/a%2f..%2f..%2fx"])
def test_no_request_leaves_the_address_of_its_api(http: Http, admin: Http, echo: str, path: str) -> None:
    made = api(admin, echo, auth=["none"])
    request = requests.Request("GET", http.base_url).prepare()
    request.url = f"{http.base_url}{made['context']}{path}"  # as it is: requests would take the dots out
    assert http.send(request, timeout=TIMEOUT_S).status_code == 400


def test_an_api_takes_its_methods_only(http: Http, admin: Http, echo: str) -> None:
    made = api(admin, echo, methods=["get"])
    subscribe(http, made["name"])
    assert http.get(made["context"]).status_code == 418
    refused = http.post(made["context"])
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET")


def test_an_open_api_needs_no_token(admin: Http, echo: str) -> None:
    made = api(admin, echo, auth=["none"])
    answer = requests.get(f"{admin.base_url}{made['context']}", timeout=TIMEOUT_S)
    assert answer.text == "GET\n/base\nNone\nNone\n"


def test_an_api_for_a_role_answers_its_holders_only(tenant: Sandbox, admin: Http, http: Http, echo: str) -> None:
    holders = role(admin)
    made = api(admin, echo, visibility="restricted", roles=[holders])
    subscribe(http, made["name"])
    assert http.get(made["context"]).json()["fault"]["code"] == 900908
    with robot(tenant, account(admin, holders)) as session:
        subscribe(http, made["name"])  # its token is of this client
        assert session.get(made["context"]).status_code == 418


@pytest.mark.parametrize(("status", "code"), [("BLOCKED", 900907), ("retired", 900906), ("CREATED", 900906)])
def test_an_api_out_of_use_is_refused_until_it_is_published_again(
    http: Http, admin: Http, status: str, code: int
) -> None:
    address = "/admin/v2/apis/Jobs-v2"
    found = checked(admin.put(address, json={"status": status}), "admin.updateApiStatus")
    assert found["status"] == status.upper()
    assert http.get("/jobs/v2").json()["fault"]["code"] == code
    assert http.get("/systems/v2").ok
    checked(admin.put(address, json={"status": "PUBLISHED"}), "admin.updateApiStatus")
    assert http.get("/jobs/v2").ok


def test_a_blocked_api_is_not_reached_through_a_postit(http: Http, admin: Http) -> None:
    body = {"url": f"{http.base_url}/jobs/v2", "maxUses": -1}
    postit = checked(http.post("/postits/v2/", json=body), "postits.create")
    admin.put("/admin/v2/apis/Jobs-v2", json={"status": "BLOCKED"})
    answer = requests.get(postit["_links"]["self"]["href"], timeout=TIMEOUT_S)
    admin.put("/admin/v2/apis/Jobs-v2", json={"status": "PUBLISHED"})
    assert answer.json()["fault"]["code"] == 900907
    assert requests.get(postit["_links"]["self"]["href"], timeout=TIMEOUT_S).ok


def test_a_deleted_api_and_its_subscriptions_are_gone(http: Http, admin: Http, echo: str) -> None:
    made = api(admin, echo)
    subscribe(http, made["name"])
    checked(admin.delete(f"/admin/v2/apis/{made['id']}"), "admin.deleteApi")
    assert http.get(made["context"]).status_code == 404
    listed = http.get("/clients/v2/DefaultApplication/subscriptions", auth=(http.user, http.password)).json()["result"]
    assert made["name"] not in [each["apiName"] for each in listed]
    refusal(admin.delete(f"/admin/v2/apis/{made['id']}"), status=404)
    assert "built in" in refusal(admin.delete("/admin/v2/apis/Files-v2"), status=400)


def test_a_service_that_is_not_there_is_a_bad_gateway(http: Http, admin: Http) -> None:
    made = api(admin, "http://127.0.0.1:1", auth=["none"])
    assert "cannot be reached" in refusal(http.get(made["context"]), status=502)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        *(({"api_name": "a b"}, "api_name"), ({"api_name": None}, "api_name"), ({"context": "/a/b"}, "context")),
        *(({"context": "/files"}, "context"), ({"context": "/token"}, "context"), ({"url": "ftp://x"}, "url")),
        *(({"url": "http://u:p@x/"}, "url"), ({"methods": ["FLY"]}, "methods"), ({"auth": ["basic"]}, "auth")),
        *(({"visibility": "restricted"}, "roles"), ({"roles": ["tenant-admin"]}, "roles")),
        *(({"visibility": "secret"}, "visibility"), ({"url": "http://["}, "url")),
    ],
)
def test_a_wrong_api_is_refused(admin: Http, changes: dict[str, Any], field: str) -> None:
    body = {"api_name": "wrong", "context": "/wrong", "url": "http://127.0.0.1:1", **changes}
    assert f"api.{field}" in refusal(admin.post("/admin/v2/apis", json=body), status=400)


def test_two_apis_share_no_name_and_no_path(admin: Http) -> None:
    made = api(admin, "http://127.0.0.1:1")
    for body in (
        {"api_name": made["name"].upper(), "context": "/else"},
        {"api_name": "Else", "context": made["context"]},
    ):
        refusal(admin.post("/admin/v2/apis", json={**body, "url": "http://127.0.0.1:1"}), status=400)
    refusal(admin.post("/admin/v2/apis", json={"api_name": "files", "context": "/x", "url": "http://x"}), status=400)
    refusal(admin.put(f"/admin/v2/apis/{made['id']}", json={"status": "FLYING"}), status=400)
