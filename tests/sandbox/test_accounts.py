"""Users, tokens, /token and /revoke."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from agavepy.sandbox import ManualClock, Sandbox
from agavepy.sandbox.api import BadRequest

from .conftest import TIMEOUT_S, Http

BAD_GRANT = {"error": "invalid_grant", "error_description": "Provided Authorization Grant is invalid"}


def token(http: Http, *, auth: Any = None, path: str = "/token", **form: str) -> requests.Response:
    return http.post(path, auth=auth or (http.key, http.secret), data=form)


def me(http: Http, access_token: str) -> requests.Response:
    return http.get("/profiles/v2/me", headers={"Authorization": f"Bearer {access_token}"})


def test_a_password_grant_answers_the_five_keys(http: Http) -> None:
    answer = token(http, grant_type="password", username=http.user, password=http.password, scope="PRODUCTION")
    assert answer.status_code == 200
    assert list(answer.json()) == ["scope", "token_type", "expires_in", "refresh_token", "access_token"]
    assert (answer.json()["scope"], answer.json()["token_type"]) == ("default", "bearer")
    assert answer.json()["expires_in"] == 14400
    assert me(http, answer.json()["access_token"]).status_code == 200


def test_a_doubled_slash_before_token_is_accepted(http: Http) -> None:
    answer = token(http, path="//token", grant_type="password", username=http.user, password=http.password)
    assert answer.status_code == 200


def test_key_and_secret_may_come_in_the_form(tenant: Sandbox, http: Http) -> None:
    form = {"grant_type": "password", "username": http.user, "password": http.password}
    form |= {"client_id": http.key, "client_secret": http.secret}
    assert requests.post(f"{tenant.url}/token", data=form, timeout=TIMEOUT_S).status_code == 200


def test_several_password_grants_live_side_by_side(http: Http) -> None:
    first, second = http.grant(), http.grant()
    assert first["access_token"] != second["access_token"]
    assert me(http, first["access_token"]).status_code == me(http, second["access_token"]).status_code == 200


def test_an_unknown_key_is_named(http: Http) -> None:
    answer = token(http, auth=("nokey", "x"), grant_type="password", username=http.user, password=http.password)
    assert answer.status_code == 401
    assert answer.json() == {
        "error": "invalid_client",
        "error_description": "A valid OAuth client could not be found for client_id: nokey",
    }


def test_a_bad_secret_is_no_client(http: Http) -> None:
    answer = token(http, auth=(http.key, "x"), grant_type="refresh_token", refresh_token="x")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("name", ["sandbox", "nobody"])
def test_a_wrong_name_or_password_is_a_bad_grant(http: Http, name: str) -> None:
    answer = token(http, grant_type="password", username=name, password="wrong")
    assert (answer.status_code, answer.json()) == (400, BAD_GRANT)


@pytest.mark.parametrize("grant", ["implicit", "urn:ietf:params:oauth:grant-type:device_code", "x"])
def test_another_grant_is_unsupported(http: Http, grant: str) -> None:
    answer = token(http, grant_type=grant)
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


@pytest.mark.parametrize(
    ("form", "missing"),
    [
        ({"grant_type": "password"}, "username, password"),
        ({"grant_type": "password", "username": "x", "password": ""}, "password"),
        ({"grant_type": "refresh_token"}, "refresh_token"),
        ({"grant_type": "authorization_code"}, "code"),
        ({"grant_type": "admin_password", "username": "x"}, "password, token_username"),
        ({}, "grant_type"),
    ],
)
def test_what_is_missing_is_named(http: Http, form: dict[str, str], missing: str) -> None:
    answer = token(http, **form)
    assert answer.status_code == 400
    assert answer.json() == {"error": "invalid_request", "error_description": f"Missing parameters: {missing}"}


def test_a_refresh_token_works_once_and_ends_its_access_token(http: Http) -> None:
    old = http.grant()
    new = token(http, grant_type="refresh_token", refresh_token=old["refresh_token"], scope="PRODUCTION")
    assert new.status_code == 200
    assert list(new.json()) == ["scope", "token_type", "expires_in", "refresh_token", "access_token"]
    again = token(http, grant_type="refresh_token", refresh_token=old["refresh_token"])
    assert (again.status_code, again.json()) == (400, BAD_GRANT)
    assert "900904" in me(http, old["access_token"]).text
    assert me(http, new.json()["access_token"]).status_code == 200


def test_a_grant_spends_only_what_it_is_about(http: Http) -> None:
    mine, extra = http.grant(), {"code": "x"}
    form = {"grant_type": "password", "username": http.user, "password": http.password}
    assert token(http, refresh_token=mine["refresh_token"], **form, **extra).status_code == 200
    assert me(http, mine["access_token"]).status_code == 200
    assert token(http, grant_type="refresh_token", refresh_token=mine["refresh_token"], **extra).status_code == 200


def test_of_many_renewals_at_once_exactly_one_succeeds(tenant: Sandbox, http: Http) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": http.grant()["refresh_token"]}

    def renew(_: int) -> int:
        auth = (http.key, http.secret)
        return requests.post(f"{tenant.url}/token", auth=auth, data=form, timeout=TIMEOUT_S).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(renew, range(16))) == [200] + [400] * 15


def test_client_credentials_speak_for_the_clients_owner_and_cannot_be_renewed(tenant: Sandbox, http: Http) -> None:
    answer = token(http, grant_type="client_credentials", scope="PRODUCTION")
    assert answer.status_code == 200
    assert list(answer.json()) == ["scope", "token_type", "expires_in", "access_token"]
    assert answer.json()["expires_in"] == 14400
    assert me(http, answer.json()["access_token"]).json()["result"]["username"] == tenant.username


@pytest.mark.parametrize("field", ["user", "client", "token_username", "username"])
def test_client_credentials_cannot_name_a_user(tenant: Sandbox, http: Http, field: str) -> None:
    access_token = token(http, grant_type="client_credentials", **{field: "admin"}).json()["access_token"]
    assert me(http, access_token).json()["result"]["username"] == tenant.username


@pytest.mark.parametrize("grant", ["client_credentials", "password", "admin_password"])
def test_these_grants_take_the_clients_secret(tenant: Sandbox, http: Http, grant: str) -> None:
    form = {"grant_type": grant, "username": http.user, "password": http.password, "token_username": http.user}
    answer = requests.post(f"{tenant.url}/token", data=form | {"client_id": http.key}, timeout=TIMEOUT_S)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_an_administrator_gets_tokens_of_another_user(admin: Http, http: Http) -> None:
    form = {"username": "admin", "password": admin.password, "token_username": http.user, "scope": "PRODUCTION"}
    answer = token(admin, grant_type="admin_password", **form)
    assert answer.status_code == 200
    assert list(answer.json()) == ["scope", "token_type", "expires_in", "refresh_token", "access_token"]
    assert me(http, answer.json()["access_token"]).json()["result"]["username"] == http.user
    new = token(admin, grant_type="refresh_token", refresh_token=answer.json()["refresh_token"])
    assert me(http, new.json()["access_token"]).json()["result"]["username"] == http.user


@pytest.mark.parametrize(
    ("changed", "value"), [("username", "sandbox"), ("password", "wrong"), ("token_username", "nobody")]
)
def test_only_an_administrator_acts_for_others_and_only_for_users_there_are(
    tenant: Sandbox, admin: Http, changed: str, value: str
) -> None:
    form = {"username": "admin", "password": admin.password, "token_username": "sandbox", changed: value}
    if value == "sandbox":
        form |= {"password": tenant.password, "token_username": "admin"}
    answer = token(admin, grant_type="admin_password", **form)
    assert (answer.status_code, answer.json()) == (400, BAD_GRANT)


def test_expire_tokens_ends_access_tokens_and_leaves_refresh_tokens(tenant: Sandbox, http: Http) -> None:
    old = http.grant()
    assert me(http, old["access_token"]).status_code == 200
    tenant.expire_tokens()
    assert "900903" in me(http, old["access_token"]).text
    new = token(http, grant_type="refresh_token", refresh_token=old["refresh_token"])
    assert me(http, new.json()["access_token"]).status_code == 200


def test_revoke_refresh_tokens_leaves_access_tokens_and_other_users(tenant: Sandbox, http: Http) -> None:
    mine = http.grant()
    with http.as_user(tenant, "unconcerned") as other:
        tenant.revoke_refresh_tokens(http.user)
        assert token(http, grant_type="refresh_token", refresh_token=mine["refresh_token"]).json() == BAD_GRANT
        assert me(http, mine["access_token"]).status_code == 200
        theirs = other.tokens["refresh_token"]
        assert token(other, grant_type="refresh_token", refresh_token=theirs).status_code == 200


@pytest.mark.parametrize(("grant", "noted"), [("password", "password"), ("a-secret-in-the-wrong-field", None)])
def test_the_log_of_requests_names_the_grant(tenant: Sandbox, http: Http, grant: str, noted: str | None) -> None:
    token(http, grant_type=grant, username=http.user, password=http.password)
    last = tenant.requests[-1]
    assert (last["operation"], last["grant_type"]) == ("token", noted)
    assert not [each for each in (http.password, http.secret, "a-secret") if each in str(last)]
    me(http, "x")
    assert "grant_type" not in tenant.requests[-1]


def test_a_refresh_token_outlives_its_access_token(http: Http, clock: ManualClock) -> None:
    old = http.grant()
    clock.advance(30 * 86400)
    assert "900903" in me(http, old["access_token"]).text
    assert token(http, grant_type="refresh_token", refresh_token=old["refresh_token"]).status_code == 200


def test_a_refresh_token_is_good_for_its_own_client_only(tenant: Sandbox, http: Http) -> None:
    made = tenant.state.accounts.clients.create("sandbox", "other")
    old = http.grant()
    answer = token(http, auth=(made.key, made.secret), grant_type="refresh_token", refresh_token=old["refresh_token"])
    assert (answer.status_code, answer.json()) == (400, BAD_GRANT)
    assert me(http, old["access_token"]).status_code == 200


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_revoking_either_token_ends_both(http: Http, which: str) -> None:
    old = http.grant()
    answer = token(http, path="/revoke", token=old[which])
    assert (answer.status_code, answer.content) == (200, b"")
    assert "900904" in me(http, old["access_token"]).text
    assert token(http, grant_type="refresh_token", refresh_token=old["refresh_token"]).json() == BAD_GRANT


def test_revoking_an_unknown_token_succeeds(http: Http) -> None:
    answer = token(http, path="/revoke", token="nobody-knows-it")
    assert (answer.status_code, answer.content) == (200, b"")


def test_revoking_takes_a_client(http: Http) -> None:
    assert token(http, path="/revoke", auth=("x", "y"), token="x").json()["error"] == "invalid_client"


def test_token_answers_post_only(http: Http) -> None:
    answer = http.get("/token")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_tokens_of_a_deleted_client_are_inactive(tenant: Sandbox, http: Http) -> None:
    made = tenant.state.accounts.clients.create("sandbox", "short-lived")
    form = {"grant_type": "password", "username": http.user, "password": http.password}
    access_token = token(http, auth=(made.key, made.secret), **form).json()["access_token"]
    tenant.state.accounts.clients.delete("sandbox", "short-lived")
    assert "900904" in me(http, access_token).text
    assert token(http, auth=(made.key, made.secret), **form).json()["error"] == "invalid_client"


def test_what_a_known_token_may_do_follows_every_change_at_once(tenant: Sandbox, http: Http) -> None:
    clients = tenant.state.accounts.clients
    made = clients.create("sandbox", "changing")
    form = {"grant_type": "password", "username": http.user, "password": http.password}
    access_token = token(http, auth=(made.key, made.secret), **form).json()["access_token"]
    assert me(http, access_token).status_code == 200
    clients.unsubscribe("sandbox", "changing", ["Profiles"])
    assert me(http, access_token).status_code == 403
    clients.subscribe("sandbox", "changing", ["Profiles"])
    assert me(http, access_token).status_code == 200
    clients.renew("sandbox", "changing")
    assert "900904" in me(http, access_token).text


def test_a_user_who_becomes_administrator_is_one_at_once(tenant: Sandbox, http: Http) -> None:
    with http.as_user(tenant, "promoted") as promoted:
        address, role = "/systems/v2/sandbox-storage/roles", {"username": "promoted", "role": "USER"}
        assert promoted.post(address, json=role).status_code == 501
        tenant.state.accounts.add_user("promoted", "promoted-password", admin=True)
        assert promoted.post(address, json=role).ok


def test_a_removed_user_is_out_at_once(tenant: Sandbox, http: Http) -> None:
    with http.as_user(tenant, "passing") as passing:
        assert passing.get("/profiles/v2/me").status_code == 200
        tenant.state.accounts.remove_user("passing")
        assert "900904" in passing.get("/profiles/v2/me").text


def test_a_client_without_a_subscription_gets_fault_900908(tenant: Sandbox, http: Http) -> None:
    clients = tenant.state.accounts.clients
    made = clients.create("sandbox", "narrow")
    clients.unsubscribe("sandbox", "narrow", ["Profiles"])
    form = {"grant_type": "password", "username": http.user, "password": http.password}
    access_token = token(http, auth=(made.key, made.secret), **form).json()["access_token"]
    answer = me(http, access_token)
    assert answer.status_code == 403
    assert answer.json()["fault"]["code"] == 900908
    header = {"Authorization": f"Bearer {access_token}"}
    assert http.get("/systems/v2", headers=header).status_code == 200


def test_no_password_secret_or_token_is_on_disk_in_clear(tenant: Sandbox, http: Http) -> None:
    tenant.add_user("secretive", "a-password-to-look-for")
    secrets = [http.secret, http.tokens["access_token"], http.tokens["refresh_token"], "a-password-to-look-for"]
    kept = b"".join(path.read_bytes() for path in tenant.root.glob("tenant.sqlite*"))
    assert kept
    assert not [each for each in secrets if each.encode() in kept]


def test_no_secret_is_logged(http: Http, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        tokens = http.grant()
        me(http, tokens["access_token"])
    for secret in (http.password, http.secret, tokens["access_token"], tokens["refresh_token"]):
        assert secret not in caplog.text


@pytest.mark.parametrize("name", ["", "a/b", "../x", "a b", ".hidden", "x" * 65, "é"])
def test_a_user_name_that_could_not_be_a_folder_is_refused(tenant: Sandbox, name: str) -> None:
    with pytest.raises(BadRequest):
        tenant.add_user(name, "password")


def test_adding_a_user_again_changes_the_password(tenant: Sandbox) -> None:
    accounts = tenant.state.accounts
    tenant.add_user("again", "first")
    tenant.add_user("again", "second")
    assert accounts.verify("again", "second")
    assert not accounts.verify("again", "first")
    assert accounts.exists("again")
    assert not accounts.is_admin("again")
    assert "again" in accounts.users()
