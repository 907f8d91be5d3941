"""The clients service, by name and password."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from agavepy.sandbox import Sandbox

from .conftest import Http

ERROR_KEYS = ["status", "message", "version", "result"]


@pytest.fixture
def basic(tenant: Sandbox, http: Http) -> Iterator[Http]:
    """A session that sends name and password."""
    del http.headers["Authorization"]
    http.auth = (tenant.username, tenant.password)
    yield http
    for client in tenant.state.accounts.clients.of(tenant.username):
        if client["name"] != "DefaultApplication":
            tenant.state.accounts.clients.delete(tenant.username, client["name"])


def refused(answer: requests.Response, message: str) -> None:
    assert answer.status_code == 400
    assert list(answer.json()) == ERROR_KEYS
    assert (answer.json()["status"], answer.json()["message"], answer.json()["result"]) == ("error", message, {})


def create(basic: Http, name: str, **more: str) -> dict[str, Any]:
    answer = basic.post("/clients/v2/", json={"clientName": name, **more})
    assert answer.status_code == 201
    return answer.json()["result"]


def test_without_a_header_there_is_a_challenge(basic: Http) -> None:
    basic.auth = None
    answer = basic.get("/clients/v2/")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Basic realm="Agave Platform"'
    assert answer.json()["message"] == "Authorization header missing or invalid."
    assert answer.json()["result"] == {}


def test_a_wrong_password_is_400(basic: Http) -> None:
    refused(basic.get("/clients/v2/", auth=("sandbox", "wrong")), "Invalid username/password combination.")


def test_a_password_with_a_colon_cannot_be_used(tenant: Sandbox, basic: Http) -> None:
    tenant.add_user("colon", "a:b")
    refused(basic.get("/clients/v2/", auth=("colon", "a:b")), "Unable to authenticate user.")


@pytest.mark.parametrize("header", ["Bearer x", "Basic", "Basic !!"])
def test_another_header_than_basic_is_400(basic: Http, header: str) -> None:
    basic.auth = lambda request: (request.headers.__setitem__("Authorization", header), request)[1]
    refused(basic.get("/clients/v2/"), "Invalid Authorization header format.")


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_password_may_come_in_utf8_or_latin1(tenant: Sandbox, basic: Http, encoding: str) -> None:
    tenant.add_user("umlaut", "süß")
    encoded = base64.b64encode("umlaut:süß".encode(encoding)).decode()
    basic.auth = lambda request: (request.headers.__setitem__("Authorization", f"Basic {encoded}"), request)[1]
    assert basic.get("/clients/v2/").status_code == 200


def test_create_gives_key_and_secret_that_obtain_a_token_at_once(tenant: Sandbox, basic: Http) -> None:
    answer = basic.post(
        "/clients/v2", data={"clientName": "my_cli", "description": "demo", "tier": "", "callbackUrl": ""}
    )
    assert answer.status_code == 201
    assert answer.json()["message"] == "Client created successfully."
    made = answer.json()["result"]
    assert {name: made[name] for name in ("name", "description", "tier", "callbackUrl")} == {
        "name": "my_cli",
        "description": "demo",
        "tier": "Unlimited",
        "callbackUrl": "",
    }
    assert made["_links"]["self"]["href"] == f"{tenant.url}/clients/v2/my_cli"
    assert made["_links"]["subscriptions"]["href"].endswith("/my_cli/subscriptions/")
    basic.key, basic.secret = made["consumerKey"], made["consumerSecret"]
    assert basic.grant()["token_type"] == "bearer"


def test_the_secret_is_shown_once(basic: Http) -> None:
    create(basic, "once")
    assert "consumerSecret" not in basic.get("/clients/v2/once").json()["result"]
    assert all("consumerSecret" not in each for each in basic.get("/clients/v2/").json()["result"])


def test_every_user_has_the_default_application(basic: Http) -> None:
    answer = basic.get("/clients/v2")
    assert answer.json()["message"] == "Clients retrieved successfully."
    assert [each["name"] for each in answer.json()["result"]] == ["DefaultApplication"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"name": "x"}, "clientName is required"),
        ({"clientName": ""}, "clientName is required"),
        ({"clientName": "x", "tier": "Tin"}, "tier value must be one of: [Bronze, Gold, Silver, Unlimited]."),
        ({"clientName": "a/b"}, "clientName must not hold a slash"),
        ({"clientName": 1}, "clientName must be text"),
    ],
)
def test_what_is_wrong_with_a_new_client_is_said(basic: Http, body: Any, message: str) -> None:
    refused(basic.post("/clients/v2/", json=body), message)


def test_a_tier_is_understood_in_any_case(basic: Http) -> None:
    assert create(basic, "golden", tier="GOLD")["tier"] == "Gold"


def test_a_name_can_be_had_once(basic: Http) -> None:
    create(basic, "twice")
    answer = basic.post("/clients/v2/", json={"clientName": "twice"})
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("Unable to create application: ")


def test_an_unknown_client_is_400(basic: Http) -> None:
    refused(basic.get("/clients/v2/nosuch"), "Application not found")


def test_names_belong_to_their_user(tenant: Sandbox, basic: Http) -> None:
    create(basic, "mine")
    tenant.add_user("neighbour", "pw")
    refused(basic.get("/clients/v2/mine", auth=("neighbour", "pw")), "Application not found")


@pytest.mark.parametrize("exists", [True, False])
def test_delete_succeeds_whether_there_was_one_or_not(basic: Http, exists: bool) -> None:
    if exists:
        create(basic, "gone")
    answer = basic.delete("/clients/v2/gone")
    assert answer.status_code == 200
    assert (answer.json()["message"], answer.json()["result"]) == ("Client removed successfully.", None)
    refused(basic.get("/clients/v2/gone"), "Application not found")


def test_a_new_client_is_subscribed_to_every_api(basic: Http) -> None:
    create(basic, "wide")
    answer = basic.get("/clients/v2/wide/subscriptions")
    assert answer.json()["message"] == "Client subscriptions retrieved successfully."
    apps = next(each for each in answer.json()["result"] if each["apiName"] == "Apps")
    assert {name: apps[name] for name in ("apiVersion", "apiProvider", "apiContext", "apiStatus", "tier")} == {
        "apiVersion": "v2",
        "apiProvider": "admin",
        "apiContext": "/apps/v2",
        "apiStatus": "PUBLISHED",
        "tier": "Unlimited",
    }
    assert {"Files", "Jobs", "Systems", "Actors"} <= {each["apiName"] for each in answer.json()["result"]}


def test_subscriptions_come_and_go(basic: Http) -> None:
    create(basic, "some")
    address = "/clients/v2/some/subscriptions"
    answer = basic.delete(address, json={"apiName": "Apps"})
    assert answer.json()["message"] == "Apps has been removed from the client some."
    assert "Apps" not in [each["apiName"] for each in basic.get(address).json()["result"]]
    answer = basic.post(address, data={"apiName": "Apps", "apiVersion": "v2", "apiProvider": "admin"})
    assert (answer.status_code, answer.json()["result"]) == (200, None)
    assert answer.json()["message"] == "Client some has been subscribed to Apps."
    assert basic.post(address, data={"apiName": "Apps"}).status_code == 200
    assert basic.post(address, data={"apiName": "*"}).json()["message"].endswith("subscribed to Agave APIs.")
    names = [each["apiName"] for each in basic.get(address).json()["result"]]
    assert len(names) == len(set(names))


def test_an_unknown_api_is_named(basic: Http) -> None:
    create(basic, "odd")
    answer = basic.post("/clients/v2/odd/subscriptions", json={"apiName": "Weather"})
    assert answer.status_code == 400
    assert "Weather" in answer.json()["message"]


def test_keys_in_snake_case_on_demand(basic: Http) -> None:
    assert "consumer_key" in basic.get("/clients/v2/DefaultApplication?camelCase=false").json()["result"]


def test_an_unknown_field_in_filter_is_an_error_here(basic: Http) -> None:
    assert list(basic.get("/clients/v2/DefaultApplication?filter=name").json()["result"]) == ["name"]
    assert basic.get("/clients/v2/DefaultApplication?filter=nosuch").status_code == 400


def test_links_are_addresses_whatever_the_name(basic: Http) -> None:
    links = create(basic, "a b?c#d%41é")["_links"]
    found = basic.get(links["self"]["href"])
    assert (found.status_code, found.json()["result"]["name"]) == (200, "a b?c#d%41é")
    assert basic.get(links["subscriptions"]["href"]).status_code == 200
