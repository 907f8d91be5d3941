"""Profiles: the caller, others, search, accounts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agavepy.sandbox import Sandbox

from .conftest import Http

ADA = {"username": "ada", "password": "engine", "email": "ada@example.org", "firstName": "Ada", "last_name": "Lovelace"}


@pytest.fixture
def ada(tenant: Sandbox, admin: Http) -> Iterator[None]:
    """A user with a name and an address."""
    admin.post("/profiles/v2", json=ADA).raise_for_status()
    yield
    tenant.state.accounts.remove_user("ada")


def names(http: Http, **terms: str) -> list[str]:
    return [each["username"] for each in http.get("/profiles/v2", params=terms).json()["result"]]


@pytest.mark.parametrize("path", ["/profiles/v2/me", "/profiles/v2/sandbox", "/profiles/v2/m%65"])
def test_the_caller_is_me(http: Http, path: str) -> None:
    assert http.get(path).json()["result"]["username"] == "sandbox"


@pytest.mark.usefixtures("ada")
def test_a_profile_has_both_shapes(http: Http) -> None:
    profile = http.get("/profiles/v2/ada").json()["result"]
    assert (profile["firstName"], profile["first_name"]) == ("Ada", "Ada")
    assert (profile["lastName"], profile["last_name"]) == ("Lovelace", "Lovelace")
    assert profile["full_name"] == "Ada Lovelace"
    assert profile["email"] == "ada@example.org"
    assert profile["create_time"].endswith("Z")
    assert profile["uuid"].endswith("-001")
    assert "password" not in str(profile)


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize(
    "terms",
    [
        {"username": "ada"},
        {"username": "ada,nobody"},
        {"email": "ADA@example.org"},
        {"name": "lovel"},
        {"first_name": "lovel"},
        {"lastName": "ada"},
        {"full_name": "a l", "username": "ada"},
    ],
)
def test_users_are_found_by_each_term(http: Http, terms: dict[str, str]) -> None:
    assert names(http, **terms) == ["ada"]


@pytest.mark.usefixtures("ada")
def test_all_terms_must_match(http: Http) -> None:
    assert names(http, username="ada", email="other@example.org") == []


def test_without_a_term_nobody_is_listed(http: Http) -> None:
    assert names(http) == []


def test_an_unknown_user_is_named(http: Http) -> None:
    answer = http.get("/profiles/v2/nobody")
    assert (answer.status_code, answer.json()["message"]) == (404, "No user found matching nobody")


@pytest.mark.usefixtures("ada")
def test_a_listing_is_paged(http: Http) -> None:
    assert names(http, username="ada,sandbox,admin", limit="2") == ["ada", "admin"]
    assert names(http, username="ada,sandbox,admin", limit="-2", offset="-2") == ["sandbox"]


def test_an_administrator_creates_changes_and_removes_users(tenant: Sandbox, admin: Http) -> None:
    created = admin.post("/profiles/v2", json={**ADA, "username": "bea"})
    assert created.status_code in (200, 201)
    assert created.json()["message"] == "User created successfully."
    assert tenant.state.accounts.verify("bea", "engine")
    changed = admin.put("/profiles/v2/bea", json={"email": "new@example.org", "password": "difference"})
    assert changed.json()["result"]["email"] == "new@example.org"
    assert tenant.state.accounts.verify("bea", "difference")
    assert admin.delete("/profiles/v2/bea").status_code == 200
    assert admin.get("/profiles/v2/bea").status_code == 404


def test_the_name_of_a_removed_user_stays_taken_until_who_runs_the_tenant_gives_it_back(
    tenant: Sandbox, admin: Http
) -> None:
    eve = {**ADA, "username": "eve"}
    assert admin.post("/profiles/v2", json=eve).status_code in (200, 201)
    assert admin.delete("/profiles/v2/eve").status_code == 200
    again = admin.post("/profiles/v2", json=eve)
    assert (again.status_code, "stays taken" in again.json()["message"]) == (400, True)
    tenant.add_user("eve", "engine")
    assert admin.get("/profiles/v2/eve").status_code == 200


@pytest.mark.parametrize("missing", ["username", "password", "email"])
def test_a_new_user_needs_name_password_and_address(admin: Http, missing: str) -> None:
    answer = admin.post("/profiles/v2", json={key: value for key, value in ADA.items() if key != missing})
    assert (answer.status_code, answer.json()["message"]) == (400, f"{missing} is required")


def test_a_user_who_exists_is_not_created_again(admin: Http) -> None:
    assert admin.post("/profiles/v2", json=ADA | {"username": "sandbox"}).status_code == 400


def test_others_may_not_manage_accounts(http: Http) -> None:
    assert http.post("/profiles/v2", json=ADA).status_code == 403
    assert http.put("/profiles/v2/sandbox", json={}).status_code == 403
    assert http.delete("/profiles/v2/admin").status_code == 403
