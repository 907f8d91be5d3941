"""Postits: anybody may make the one call they stand for, so often and so long, and nothing else."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from agavepy.sandbox import ManualClock, Sandbox

from .conftest import TIMEOUT_S, Http
from .schema import checked, refusal


class Anybody(requests.Session):
    """Somebody who knows keys of postits and nothing else."""

    def call(self, postit: dict[str, Any], method: str = "GET", **kwargs: Any) -> requests.Response:
        return self.request(method, postit["_links"]["self"]["href"], timeout=TIMEOUT_S, **kwargs)


@pytest.fixture
def anybody() -> Iterator[Anybody]:
    with Anybody() as session:
        session.trust_env = False
        yield session


def create(http: Http, target: str, **changes: Any) -> dict[str, Any]:
    answer = http.post("/postits/v2/", json={"url": f"{http.base_url}/{target}", **changes})
    postit: dict[str, Any] = checked(answer, "postits.create")
    return postit


def listed(http: Http) -> list[str]:
    return [each["postit"] for each in checked(http.get("/postits/v2/?limit=250"), "postits.list")]


def upload(http: Http, name: str, data: bytes) -> str:
    """Write a file into the user's home; return its address on the tenant."""
    answer = http.post(f"/files/v2/media/system/sandbox-storage/{http.user}", files={"fileToUpload": (name, data)})
    assert answer.status_code == 202, answer.text
    return f"files/v2/media/system/sandbox-storage/{http.user}/{name}"


# Creating


def test_a_postit_is_once_and_for_thirty_days_unless_said_otherwise(http: Http) -> None:
    postit = create(http, "files/v2/media/system/sandbox-storage/a.txt")
    assert list(postit) == [
        *("creator", "internalUsername", "authenticated", "created", "expires", "remainingUses", "postit", "noauth"),
        *("url", "method", "_links"),
    ]
    assert (postit["creator"], postit["authenticated"], postit["noauth"]) == (http.user, True, False)
    assert (postit["method"], postit["remainingUses"], len(postit["postit"])) == ("GET", 1, 32)
    assert "." not in postit["created"]
    assert list(postit["_links"]) == ["self", "profile", "file"]
    assert postit["_links"]["file"]["href"] == postit["url"]


def test_numbers_and_flags_may_come_as_a_form(http: Http) -> None:
    form = {"url": f"{http.base_url}/profiles/v2/me", "maxUses": "-1", "lifetime": "60", "noauth": "True"}
    postit = checked(http.post("/postits/v2", data=form), "postits.create")
    assert (postit["remainingUses"], postit["noauth"], postit["authenticated"]) == ("unlimited", True, False)


@pytest.mark.parametrize(
    "url", ["http://example.org/x", "https://127.0.0.1/x", "ftp://x", "profiles/v2/me", "http://["]
)
def test_an_address_of_somebody_else_is_refused(http: Http, url: str) -> None:
    assert "'postit.url'" in refusal(http.post("/postits/v2/", json={"url": url}), status=400)


def test_an_address_that_only_begins_like_the_tenants_is_refused(http: Http) -> None:
    for url in (f"{http.base_url}1/profiles/v2/me", f"{http.base_url}@example.org/", f"{http.base_url}.example.org/"):
        refusal(http.post("/postits/v2/", json={"url": url}), status=400)


@pytest.mark.parametrize(
    "changes",
    [{"maxUses": 0}, {"maxUses": -2}, {"maxUses": "many"}, {"lifetime": 0}, {"noauth": "perhaps"}, {"url": 7}],
)
def test_a_field_that_breaks_its_rule_is_named(http: Http, changes: dict[str, Any]) -> None:
    body = {"url": f"{http.base_url}/profiles/v2/me", **changes}
    assert f"'postit.{next(iter(changes))}'" in refusal(http.post("/postits/v2/", json=body), status=400)


def test_a_method_that_postits_do_not_have_is_unsupported(http: Http) -> None:
    body = {"url": f"{http.base_url}/profiles/v2/me", "method": "PATCH"}
    refusal(http.post("/postits/v2/", json=body), status=501)


# Redeeming


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_any_verb_makes_the_call_as_the_creator_without_a_token(http: Http, anybody: Anybody, method: str) -> None:
    answer = anybody.call(create(http, "profiles/v2/me"), method)
    assert checked(answer, "profiles.get")["username"] == http.user


def test_each_call_costs_a_use_and_the_last_one_ends_it(http: Http, anybody: Anybody) -> None:
    postit = create(http, "profiles/v2/me", maxUses=2)
    assert anybody.call(postit).status_code == 200
    assert anybody.call(postit, "HEAD").status_code == 200
    refusal(anybody.call(postit), status=403)
    assert postit["postit"] not in listed(http)


def test_a_call_that_fails_costs_a_use_too(http: Http, anybody: Anybody) -> None:
    postit = create(http, "jobs/v2/none-007")
    refusal(anybody.call(postit), status=404)
    refusal(anybody.call(postit), status=403)


def test_of_many_calls_at_once_no_more_succeed_than_there_are_uses(http: Http) -> None:
    postit = create(http, "profiles/v2/me", maxUses=5)

    def call(_: int) -> int:
        with Anybody() as session:
            session.trust_env = False
            return session.call(postit).status_code

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(call, range(20)))
    assert sorted(statuses) == [200] * 5 + [403] * 15


def test_a_postit_ends_with_its_lifetime(http: Http, anybody: Anybody, clock: ManualClock) -> None:
    postit = create(http, "profiles/v2/me", lifetime=60, maxUses=-1)
    clock.advance(59)
    assert anybody.call(postit).status_code == 200
    clock.advance(1)
    refusal(anybody.call(postit), status=403)


def test_a_file_is_streamed_with_its_name_type_and_ranges(http: Http, anybody: Anybody) -> None:
    data = bytes(range(256)) * 10_000
    postit = create(http, upload(http, "big file.csv", data), maxUses=-1)
    whole = anybody.call(postit)
    assert (whole.content, whole.headers["content-type"]) == (data, "text/csv")
    part = anybody.call(postit, headers={"Range": "bytes=3-5"})
    assert (part.status_code, part.content) == (206, b"\x03\x04\x05")
    forced = anybody.call(postit, params={"force": "true"})
    assert forced.headers["content-disposition"] == 'attachment; filename="big file.csv"'


def test_a_body_is_relayed_to_the_address(http: Http, anybody: Anybody) -> None:
    folder = f"files/v2/media/system/sandbox-storage/{http.user}"
    made = anybody.call(create(http, folder, method="PUT"), "POST", json={"action": "mkdir", "path": "dropbox"})
    checked(made, "files.manage", status=201)
    sent = anybody.call(
        create(http, f"{folder}/dropbox", method="POST"), "POST", files={"fileToUpload": ("in.bin", b"x" * (3 << 20))}
    )
    checked(sent, "files.importData", status=202)
    assert len(http.get(f"/{folder}/dropbox/in.bin").content) == 3 << 20


def test_the_query_of_the_address_goes_along_and_that_of_the_caller_does_not(http: Http, anybody: Anybody) -> None:
    postit = create(http, "systems/v2/?type=STORAGE&limit=1&filter=id")
    answer = anybody.call(postit, params={"type": "EXECUTION", "filter": "owner"})
    assert checked(answer, "systems.list") == [{"id": "sandbox-storage"}]


def test_a_postit_without_a_token_opens_what_is_open_only(http: Http, anybody: Anybody) -> None:
    assert anybody.call(create(http, "tenants", noauth=True)).status_code == 200
    assert anybody.call(create(http, "profiles/v2/me", noauth=True)).status_code == 401


def test_no_postit_stands_for_a_password_a_token_or_another_postit(http: Http, anybody: Anybody) -> None:
    assert anybody.call(create(http, "clients/v2/")).status_code == 401
    assert anybody.call(create(http, "token", method="POST")).status_code == 404
    inner = create(http, "profiles/v2/me", maxUses=-1)
    for noauth in (True, False):
        refusal(anybody.call(create(http, f"postits/v2/{inner['postit']}", noauth=noauth)), status=403)


def test_the_creators_rights_are_those_of_the_moment(tenant: Sandbox, http: Http, anybody: Anybody) -> None:
    with http.as_user(tenant, "lender") as lender:
        denied = create(lender, upload(http, "private.txt", b"mine"))
        assert anybody.call(denied).status_code in (403, 404)
        orphan = create(lender, "profiles/v2/me", maxUses=-1)
    tenant.state.accounts.remove_user("lender")
    assert refusal(anybody.call(orphan), status=404) == "Unknown postit key."


def test_a_key_nobody_has_is_unknown(http: Http, anybody: Anybody) -> None:
    for method in ("GET", "POST", "PUT", "DELETE"):
        answer = anybody.request(method, f"{http.base_url}/postits/v2/none", timeout=TIMEOUT_S)
        assert refusal(answer, status=404) == "Unknown postit key."


# Listing and revoking


def test_users_see_and_revoke_their_own_only(http: Http, other: Http, admin: Http, anybody: Anybody) -> None:
    postit = create(http, "profiles/v2/me", maxUses=-1)
    assert postit["postit"] in listed(http)
    assert postit["postit"] not in listed(other)
    refusal(other.delete(f"/postits/v2/{postit['postit']}"), status=403)
    checked(http.delete(f"/postits/v2/{postit['postit']}"), "postits.delete")
    refusal(anybody.call(postit), status=404)
    refusal(http.delete(f"/postits/v2/{postit['postit']}"), status=404)
    another = create(http, "profiles/v2/me")
    checked(admin.delete(f"/postits/v2/{another['postit']}"), "postits.delete")


def test_a_delete_without_a_token_makes_the_call_and_revokes_nothing(http: Http, anybody: Anybody) -> None:
    address = upload(http, "to delete.txt", b"x")
    postit = create(http, address, method="DELETE", maxUses=2)
    checked(anybody.call(postit, "DELETE"), "files.delete")
    assert http.get(f"/{address}").status_code == 404
    assert postit["postit"] in listed(http)


def test_postits_are_still_good_when_the_tenant_starts_again_elsewhere(tmp_path: Any, anybody: Anybody) -> None:
    with Sandbox(root=tmp_path) as first, Http(first) as http:
        key = create(http, "profiles/v2/me")["postit"]
    with Sandbox(root=tmp_path) as second:
        answer = anybody.get(f"{second.url}/postits/v2/{key}", timeout=TIMEOUT_S)
        assert checked(answer, "profiles.get")["username"] == second.username
