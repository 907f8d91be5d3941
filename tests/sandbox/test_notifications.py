"""Notifications: what may be asked for, what arrives at real receivers, when it is tried again, what is on record."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agavepy.agave import Agave
from agavepy.errors import AgaveHTTPError
from agavepy.sandbox import ManualClock, Sandbox
from agavepy.sandbox.deliveries import pause

from .compute import Compute, as_form
from .conftest import Http
from .receivers import Hook, Post, Silent
from .schema import checked, refusal


@pytest.fixture
def ag(tenant: Sandbox) -> Agave:
    """A client of the tenant's default user."""
    return tenant.client()


@pytest.fixture
def job(compute: Compute) -> dict[str, Any]:
    """A job that is over."""
    return compute.run(compute.app())


@pytest.fixture
def system(http: Http, tenant: Sandbox) -> Iterator[dict[str, Any]]:
    """A system of the user's own, whose events are easy to cause."""
    described = {
        "id": "watched",
        "name": "watched",
        "type": "STORAGE",
        "storage": {"protocol": "LOCAL", "host": "localhost", "auth": {"type": "LOCAL"}},
    }
    yield checked(http.post("/systems/v2/", json=described), "systems.add", status=201)
    with Http(tenant, user="admin", password=tenant.password_of("admin") or "") as admin:
        admin.put("/systems/v2/watched", json={"action": "erase"}).raise_for_status()


class Watch:
    """A notification about a system, and what causes its events."""

    def __init__(self, tenant: Sandbox, http: Http, system: dict[str, Any], url: str, **settings: Any) -> None:
        self.tenant, self.http = tenant, http
        body = {"associatedUuid": system["uuid"], "event": "*", "persistent": True, "url": url, **settings}
        self.id = checked(http.post("/notifications/v2/", json=body), "notifications.add", status=201)["id"]

    def cause(self, *actions: str) -> None:
        """Enable or disable the system, and let everything be sent that is due."""
        for action in actions:
            self.http.put("/systems/v2/watched", json={"action": action}).raise_for_status()
        self.tenant.run_until_idle()

    @property
    def record(self) -> dict[str, Any]:
        found: dict[str, Any] = checked(self.http.get(f"/notifications/v2/{self.id}"), "notifications.get")
        return found

    @property
    def attempts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.http.get(f"/notifications/v2/{self.id}/attempts").json()["result"]
        return found

    @property
    def history(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.http.get(f"/notifications/v2/{self.id}/history").json()["result"]
        return found


# The operations


def test_every_operation_works_through_the_client(ag: Agave, job: dict[str, Any], hook: Hook) -> None:
    body = {"associatedUuid": job["id"], "event": "*", "url": hook.url}
    made = ag.notifications.add(body=body)
    assert made.id.endswith("-011")
    assert made.created.tzinfo is not None
    assert ag.notifications.get(uuid=made.id).event == "*"
    assert [each.id for each in ag.notifications.list(associatedUuid=job["id"])] == [made.id]
    changed = ag.notifications.update(uuid=made.id, body={**body, "event": "DELETED"})
    assert (changed.id, changed.event) == (made.id, "DELETED")
    ag.notifications.delete(uuid=made.id)
    assert ag.notifications.list(associatedUuid=job["id"]) == []
    with pytest.raises(AgaveHTTPError, match="No notification found"):
        ag.notifications.get(uuid=made.id)
    assert not ag.drift


def test_a_new_notification_has_everything_filled_in(http: Http, job: dict[str, Any]) -> None:
    body = {"associatedUuid": job["id"], "event": "FINISHED", "url": "https://hooks.example.org/?e=${EVENT}"}
    made = checked(http.post("/notifications/v2/", json=body), "notifications.add", status=201)
    assert made["policy"] == {
        "retryStrategy": "IMMEDIATE",
        "retryLimit": 5,
        "retryRate": 5,
        "retryDelay": 0,
        "saveOnFailure": False,
    }
    assert (made["status"], made["attempts"], made["persistent"], made["owner"]) == ("ACTIVE", 0, False, http.user)
    assert (made["responseCode"], made["lastSent"], made["success"]) == (None, None, False)
    assert set(made["_links"]) == {"self", "attempts", "history", "owner", "job"}
    for name in ("self", "attempts", "history", "job"):
        assert http.get(made["_links"][name]["href"]).status_code == 200
    [listed] = checked(http.get("/notifications/v2/", params={"associatedUuid": job["id"]}), "notifications.list")
    assert set(listed) == {"id", "url", "associatedUuid", "event", "_links"}
    assert set(listed["_links"]) == {"self", "profile", "job"}


def test_forms_and_files_are_taken_too(http: Http, job: dict[str, Any]) -> None:
    form = {"associatedUuid": job["id"], "event": "*", "url": "a@example.org", "persistent": "True"}
    sent = http.post("/notifications/v2/", data={**form, "policy.retryStrategy": "delayed", "policy.retryLimit": "2"})
    made = checked(sent, "notifications.add", status=201)
    assert (made["persistent"], made["policy"]["retryStrategy"], made["policy"]["retryLimit"]) == (True, "DELAYED", 2)
    checked(http.post("/notifications/v2/", files=as_form(form)), "notifications.add", status=201)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"evnt": "*"}, "Unknown property 'evnt'. Did you mean 'event'?"),
        ({"policy": {"retryStratgy": "NONE"}}, "Did you mean 'retryStrategy'?"),
        ({"policy": {"retryStrategy": "OFTEN"}}, "NONE, IMMEDIATE, DELAYED, EXPONENTIAL"),
        ({"policy": {"retryLimit": 1441}}, "at most 1440"),
        ({"policy": {"retryRate": -1}}, "at least 0"),
        ({"policy": "NONE"}, "JSON object"),
        ({"url": ""}, "url"),
        ({"url": 7}, "url"),
        ({"url": "hooks.example.org"}, "web address"),
        ({"url": "http://"}, "web address"),
        ({"url": "http://a:999999/"}, "web address"),
        ({"url": "http://a b/"}, "web address"),
        ({"url": "file:///etc/passwd"}, "web address"),
        ({"url": "http://${OWNER}.example.org/"}, "not in the host"),
        ({"url": "http://a/" + "x" * 5000}, "4096"),
        ({"event": None}, "event"),
        ({"associatedUuid": "nonsense"}, "uuid"),
        ({"persistent": "perhaps"}, "true or false"),
    ],
)
def test_what_is_asked_wrongly_is_refused_with_the_reason(
    http: Http, job: dict[str, Any], change: dict[str, Any], told: str
) -> None:
    body = {"associatedUuid": job["id"], "event": "*", "url": "http://127.0.0.1/", **change}
    assert told in refusal(http.post("/notifications/v2/", json=body), status=400)


@pytest.mark.parametrize("body", [[], "x", 1, None])
def test_a_body_that_is_no_object_is_refused(http: Http, body: Any) -> None:
    refusal(http.post("/notifications/v2/", json=body), status=400)


def test_an_agave_address_is_refused(http: Http, job: dict[str, Any]) -> None:
    body = {"associatedUuid": job["id"], "event": "*", "url": "agave://sandbox-storage/inbox"}
    assert "agave://" in refusal(http.post("/notifications/v2/", json=body), status=400)


def test_only_what_one_may_read_can_be_watched(http: Http, other: Http, job: dict[str, Any]) -> None:
    body = {"associatedUuid": job["id"], "event": "*", "url": "http://127.0.0.1/"}
    refusal(other.post("/notifications/v2/", json=body), status=403)
    refusal(other.post("/notifications/v2/", json={**body, "associatedUuid": "1-1-0001-007"}), status=404)
    refusal(other.post("/notifications/v2/", json={**body, "associatedUuid": "1-1-0001-999"}), status=404)


def test_a_notification_is_its_owners_and_the_administrators(
    http: Http, other: Http, admin: Http, job: dict[str, Any]
) -> None:
    body = {"associatedUuid": job["id"], "event": "*", "url": "http://127.0.0.1/"}
    made = checked(http.post("/notifications/v2/", json=body), "notifications.add", status=201)
    address = f"/notifications/v2/{made['id']}"
    for path in (address, f"{address}/attempts", f"{address}/history"):
        refusal(other.get(path), status=403)
        assert admin.get(path).status_code == 200
    refusal(other.post(address, json=body), status=403)
    refusal(other.post(f"{address}/attempts"), status=403)
    refusal(other.delete(address), status=403)
    assert made["id"] not in other.get("/notifications/v2/").text


def test_everything_is_for_administrators(tenant: Sandbox, http: Http, admin: Http, hook: Hook) -> None:
    body = {"associatedUuid": "*", "event": "CREATED", "url": f"{hook.url}/${{UUID}}", "persistent": True}
    refusal(http.post("/notifications/v2/", json=body), status=403)
    made = checked(admin.post("/notifications/v2/", json=body), "notifications.add", status=201)
    checked(http.put(f"/files/v2/media/system/sandbox-storage/{http.user}", json={"action": "mkdir", "path": "new"}),
            "files.manage", status=201)  # fmt: skip
    tenant.run_until_idle()
    refusal(admin.post(f"/notifications/v2/{made['id']}/attempts"), status=400)
    admin.delete(f"/notifications/v2/{made['id']}").raise_for_status()
    assert [each.target.endswith("-002") for each in hook.received] == [True]


# What arrives


def test_a_delivery_is_a_post_of_the_resource_with_agaves_headers(
    tenant: Sandbox, http: Http, system: dict[str, Any], hook: Hook
) -> None:
    watch = Watch(tenant, http, system, hook.url.replace("//", "//user:p%40ss@") + "/in")
    watch.cause("disable")
    [got] = hook.received
    assert (got.method, got.target) == ("POST", "/in")
    assert got.headers["Content-Type"] == "application/json"
    assert got.headers["User-Agent"].startswith("Agave-Hookbot/")
    assert got.headers["X-Agave-Notification"] == watch.id
    assert got.headers["X-Agave-Delivery"].endswith("-042")
    assert got.headers["Authorization"] == "Basic dXNlcjpwQHNz"  # of the address, user:p@ss
    assert (got.json["id"], got.json["available"]) == ("watched", False)
    assert got.json["_links"]["self"]["href"] == f"{tenant.url}/systems/v2/watched"
    assert (watch.record["success"], watch.record["attempts"], watch.record["responseCode"]) == (True, 1, 200)
    assert watch.record["lastSent"]


def test_no_token_of_the_tenant_leaves_it(tenant: Sandbox, http: Http, system: dict[str, Any], hook: Hook) -> None:
    Watch(tenant, http, system, hook.url).cause("disable")
    [got] = hook.received
    assert "Authorization" not in got.headers
    assert http.tokens["access_token"] not in f"{got.headers}{got.body!r}"


def test_macros_are_raw_in_the_path_and_encoded_in_the_query(tenant: Sandbox, compute: Compute, hook: Hook) -> None:
    url = f"{hook.url}/${{JOB_ID}}/${{JOB_NAME}}?s=${{JOB_STATUS}}&u=${{JOB_URL}}&x=${{NO_SUCH}}&n=${{JOB_NAME}}"
    job_id = compute.submit(compute.app(), name="a/b c?&#", notifications=[{"url": url, "event": "FINISHED"}])
    tenant.run_until_idle()
    [got] = hook.received
    path, _, query = got.target.partition("?")
    assert path == f"/{job_id}/a/b%20c%3F&%23"
    asked = dict(urllib.parse.parse_qsl(query))
    assert asked == {
        "s": "FINISHED",
        "u": f"{tenant.url}/jobs/v2/{job_id}",
        "x": "${NO_SUCH}",
        "n": "a/b c?&#",
    }
    assert (got.json["id"], got.json["status"]) == (job_id, "FINISHED")


def test_events_of_a_job_arrive_in_order_with_the_status_of_their_time(
    tenant: Sandbox, compute: Compute, hook: Hook
) -> None:
    asked = [{"url": f"{hook.url}/?e=${{EVENT}}", "event": "*", "persistent": True}]
    answer = compute.http.post("/jobs/v2/", json={"name": "j", "appId": compute.app(), "notifications": asked})
    submitted = checked(answer, "jobs.submit", status=201)
    tenant.run_until_idle()
    assert [each["event"] for each in submitted["notifications"]] == ["*"]
    statuses = [each.json["status"] for each in hook.received]
    assert hook.events() == ["CREATED", *compute.statuses(submitted["id"])]
    assert statuses == ["PENDING", *compute.statuses(submitted["id"])]
    assert all(each.json["message"] for each in hook.received)


def test_the_callback_url_of_a_job_is_told_of_everything(tenant: Sandbox, compute: Compute, hook: Hook) -> None:
    compute.submit(compute.app(), callbackUrl=f"{hook.url}/?e=${{EVENT}}")
    tenant.run_until_idle()
    assert hook.events()[0] == "CREATED"
    assert hook.events()[-1] == "FINISHED"


def test_the_callback_url_of_an_upload_is_told_once_it_has_arrived(tenant: Sandbox, http: Http, hook: Hook) -> None:
    url = f"{hook.url}/${{FILE_NAME}}?e=${{EVENT}}"
    place = f"/files/v2/media/system/sandbox-storage/{http.user}"
    sent = http.post(place, files={"fileToUpload": ("tide.txt", b"tide")}, data={"callbackURL": url})
    record = checked(sent, "files.importData", status=202)
    tenant.run_until_idle()
    [got] = hook.received
    assert got.target == "/tide.txt?e=STAGING_COMPLETED"
    assert (got.json["uuid"], got.json["length"]) == (record["uuid"], 4)
    [link] = record["_links"]["notification"]
    assert http.get(link["href"]).json()["result"]["status"] == "COMPLETE"


def test_notifications_of_an_import_tell_of_its_failure(tenant: Sandbox, http: Http, hook: Hook) -> None:
    ag = tenant.client()
    asked = [{"url": f"{hook.url}/?e=${{EVENT}}", "event": "*", "persistent": True}]
    ag.files.importData(
        systemId="sandbox-storage", filePath=http.user, urlToIngest=f"{hook.url}/missing", notifications=asked
    )
    tenant.run_until_idle()
    assert hook.events() == ["STAGING_QUEUED", "STAGING", "STAGING_FAILED"]


def test_what_one_may_no_longer_read_is_no_longer_told(
    tenant: Sandbox, compute: Compute, other: Http, hook: Hook
) -> None:
    job_id = compute.submit(compute.app())
    tenant.run_until_idle()
    pems = f"/jobs/v2/{job_id}/pems/{other.user}"
    compute.http.post(pems, json={"permission": "READ"}).raise_for_status()
    body = {"associatedUuid": job_id, "event": "*", "url": f"{hook.url}/?e=${{EVENT}}", "persistent": True}
    checked(other.post("/notifications/v2/", json=body), "notifications.add", status=201)
    compute.http.post(pems, json={"permission": "READ_WRITE"}).raise_for_status()
    compute.http.delete(pems).raise_for_status()
    compute.http.delete(f"/jobs/v2/{job_id}").raise_for_status()
    tenant.run_until_idle()
    assert hook.events() == ["PERMISSION_GRANT"]


def test_those_a_file_was_shared_with_are_told_of_its_end(tenant: Sandbox, http: Http, other: Http, hook: Hook) -> None:
    media = f"/files/v2/media/system/sandbox-storage/{http.user}"
    uuid = checked(http.post(media, files={"fileToUpload": ("s", b"a")}), "files.importData", status=202)["uuid"]
    body = {"associatedUuid": uuid, "event": "*", "url": f"{hook.url}/?e=${{EVENT}}", "persistent": True}
    refusal(other.post("/notifications/v2/", json=body), status=403)
    pems = f"/files/v2/pems/system/sandbox-storage/{http.user}/s"
    http.post(pems, json={"username": other.user, "permission": "READ"}).raise_for_status()
    checked(other.post("/notifications/v2/", json=body), "notifications.add", status=201)
    http.delete(f"{media}/s").raise_for_status()
    http.post(media, files={"fileToUpload": ("s", b"a secret by now")}).raise_for_status()
    tenant.run_until_idle()
    assert hook.events() == ["DELETED"]


def test_one_that_is_not_persistent_is_told_once(
    tenant: Sandbox, http: Http, system: dict[str, Any], hook: Hook
) -> None:
    watch = Watch(tenant, http, system, f"{hook.url}/?e=${{EVENT}}", persistent=False)
    watch.cause("disable", "enable", "disable")
    assert hook.events() == ["DISABLED"]
    assert watch.record["status"] == "COMPLETE"
    body = {"associatedUuid": system["uuid"], "event": "*", "url": hook.url}
    assert "delivered" in refusal(http.post(f"/notifications/v2/{watch.id}", json=body), status=412)


def test_only_the_event_asked_for_is_told(tenant: Sandbox, http: Http, system: dict[str, Any], hook: Hook) -> None:
    Watch(tenant, http, system, f"{hook.url}/?e=${{EVENT}}", event="enabled").cause("disable", "enable")
    assert hook.events() == ["ENABLED"]


def test_a_deleted_notification_is_silent(tenant: Sandbox, http: Http, system: dict[str, Any], hook: Hook) -> None:
    watch = Watch(tenant, http, system, hook.url)
    http.delete(f"/notifications/v2/{watch.id}").raise_for_status()
    watch.cause("disable")
    assert hook.received == []


def test_a_changed_notification_watches_what_it_says_now(
    tenant: Sandbox, http: Http, system: dict[str, Any], job: dict[str, Any], hook: Hook
) -> None:
    watch = Watch(tenant, http, system, hook.url)
    body = {"associatedUuid": job["id"], "event": "DELETED", "url": f"{hook.url}/?e=${{EVENT}}"}
    checked(http.post(f"/notifications/v2/{watch.id}", json=body), "notifications.update")
    watch.cause("disable")
    http.delete(f"/jobs/v2/{job['id']}").raise_for_status()
    tenant.run_until_idle()
    assert hook.events() == ["DELETED"]


# What does not arrive


@pytest.mark.parametrize(
    ("policy", "pauses"),
    [
        ({"retryStrategy": "NONE"}, []),
        ({"retryStrategy": "IMMEDIATE", "retryLimit": 3, "retryRate": 7}, [0, 7, 7]),
        ({"retryStrategy": "DELAYED", "retryLimit": 3, "retryRate": 7, "retryDelay": 60}, [60, 7, 7]),
        ({"retryStrategy": "EXPONENTIAL", "retryLimit": 9}, [5, 5, 5, 5, 15, 60, 900, 3600, 3600]),
    ],
)
def test_a_strategy_says_when_to_try_again(policy: dict[str, Any], pauses: list[int]) -> None:
    full = {"retryLimit": 5, "retryRate": 5, "retryDelay": 0, **policy}
    found = [pause(full, tries) for tries in range(1, len(pauses) + 2)]
    assert found == [*pauses, None]


def test_retries_become_due_as_the_clock_advances(
    tenant: Sandbox, http: Http, system: dict[str, Any], hook: Hook, clock: ManualClock
) -> None:
    policy = {"retryStrategy": "DELAYED", "retryDelay": 60, "retryRate": 30, "retryLimit": 5}
    watch = Watch(tenant, http, system, hook.url, policy=policy)
    hook.refuse(500, 503)
    seen = []
    watch.cause("disable")
    for seconds in (59, 1, 29, 1):
        seen.append(len(hook.received))
        clock.advance(seconds)
        tenant.run_until_idle()
    assert [*seen, len(hook.received)] == [1, 1, 2, 2, 3]
    assert len({each.headers["X-Agave-Delivery"] for each in hook.received}) == 1
    assert (watch.record["success"], watch.record["attempts"]) == (True, 3)
    assert [each["status"] for each in watch.history] == ["CREATED", "SEND_ERROR", "SEND_ERROR", "SUCCESS"]


def test_a_failure_is_kept_when_that_is_asked_for(
    tenant: Sandbox, http: Http, system: dict[str, Any], hook: Hook
) -> None:
    policy = {"retryStrategy": "IMMEDIATE", "retryLimit": 1, "saveOnFailure": True}
    watch = Watch(tenant, http, system, f"{hook.url}/x", policy=policy, persistent=False)
    hook.refuse(500, 418)
    watch.cause("disable")
    [kept] = watch.attempts
    assert (kept["event"], kept["associatedUuid"], kept["notificationId"]) == ("DISABLED", system["uuid"], watch.id)
    assert kept["response"]["code"] == 418
    assert kept["response"]["message"].startswith("418 I'm a Teapot no, thank you")
    assert len(kept["response"]["message"]) < 1100
    assert (watch.record["status"], watch.record["success"], watch.record["attempts"]) == ("FAILED", False, 2)
    address = f"/notifications/v2/{watch.id}/attempts"
    assert http.get(kept["_links"]["self"]["href"]).json()["result"] == kept
    http.delete(f"{address}/{kept['id']}").raise_for_status()
    refusal(http.get(f"{address}/{kept['id']}"), status=404)
    assert watch.attempts == []


def test_a_failure_is_not_kept_otherwise_and_a_persistent_one_goes_on(
    tenant: Sandbox, http: Http, system: dict[str, Any], hook: Hook
) -> None:
    watch = Watch(tenant, http, system, f"{hook.url}/?e=${{EVENT}}", policy={"retryStrategy": "NONE"})
    hook.refuse(500)
    watch.cause("disable", "enable")
    assert hook.events() == ["DISABLED", "ENABLED"]
    assert (watch.attempts, watch.record["status"]) == ([], "ACTIVE")


def test_a_redirect_is_not_followed(tenant: Sandbox, http: Http, system: dict[str, Any], hook: Hook) -> None:
    watch = Watch(tenant, http, system, hook.url, policy={"retryStrategy": "NONE"})
    hook.refuse(302, Location=f"{hook.url}/elsewhere")
    watch.cause("disable")
    assert (len(hook.received), watch.record["responseCode"], watch.record["success"]) == (1, 302, False)


def test_nobody_there_is_a_failure_with_its_reason(
    tenant: Sandbox, http: Http, system: dict[str, Any], hook: Hook
) -> None:
    url = hook.url.replace("http://", "http://me:secret@")
    hook.server_close()
    watch = Watch(tenant, http, system, url, policy={"retryStrategy": "NONE", "saveOnFailure": True})
    watch.cause("disable")
    [kept] = watch.attempts
    assert kept["response"]["code"] is None
    assert "cannot be reached" in kept["response"]["message"]
    assert "secret" not in json.dumps(watch.history)


@pytest.mark.parametrize("host", ["a..b", "a" * 70 + ".invalid", "127.0.0.1:1", "[::1]:1", "xn--a.invalid", "ü..x"])
def test_a_host_that_there_is_not_is_a_failure_like_any_other(
    tenant: Sandbox, http: Http, system: dict[str, Any], host: str
) -> None:
    watch = Watch(tenant, http, system, f"http://{host}/", policy={"retryStrategy": "NONE"}, persistent=False)
    watch.cause("disable")
    assert (watch.record["status"], watch.record["attempts"]) == ("FAILED", 1)
    assert "cannot be reached" in watch.history[-1]["description"]


def test_all_attempts_can_be_cleared(tenant: Sandbox, http: Http, system: dict[str, Any], hook: Hook) -> None:
    watch = Watch(tenant, http, system, hook.url, policy={"retryStrategy": "NONE", "saveOnFailure": True})
    hook.refuse(500, 500)
    watch.cause("disable", "enable")
    assert [each["event"] for each in watch.attempts] == ["ENABLED", "DISABLED"]
    http.delete(f"/notifications/v2/{watch.id}/attempts").raise_for_status()
    assert watch.attempts == []


def test_a_delivery_can_be_asked_for(tenant: Sandbox, http: Http, system: dict[str, Any], hook: Hook) -> None:
    watch = Watch(tenant, http, system, hook.url, event="NEVER")
    answer = http.post(f"/notifications/v2/{watch.id}/attempts")
    assert answer.status_code == 201
    tenant.run_until_idle()
    [got] = hook.received
    assert got.headers["X-Agave-Delivery"] == answer.json()["result"]["id"]
    assert got.json["id"] == "watched"


def test_a_receiver_that_hangs_holds_up_nobody_else(
    tenant: Sandbox, http: Http, system: dict[str, Any], hook: Hook, silent: Silent
) -> None:
    stuck = Watch(tenant, http, system, silent.url, policy={"retryStrategy": "NONE"})
    fine = Watch(tenant, http, system, f"{hook.url}/?e=${{EVENT}}")
    http.put("/systems/v2/watched", json={"action": "disable"}).raise_for_status()
    assert silent.reached.wait(20)
    fine.http.put("/systems/v2/watched", json={"action": "enable"}).raise_for_status()
    silent.close()
    tenant.run_until_idle()
    assert hook.events() == ["DISABLED", "ENABLED"]
    assert stuck.record["success"] is False


def test_an_answer_that_takes_too_long_is_given_up(
    tenant: Sandbox, http: Http, system: dict[str, Any], silent: Silent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agavepy.sandbox.webhooks._LIMIT_S", 0.2)
    watch = Watch(tenant, http, system, f"{silent.url}/?all=${{RAW_JSON}}", policy={"retryStrategy": "NONE"})
    watch.cause("disable")
    assert watch.history[-1]["description"] == (
        f"DISABLED: {silent.url}/ cannot be reached: {silent.url}/ took longer than 0.2 s."
    )


def test_deliveries_left_by_a_tenant_that_stopped_are_sent_by_the_next(
    tmp_path: Path, hook: Hook, silent: Silent
) -> None:
    clock = ManualClock()
    with Sandbox(tmp_path, clock=clock) as tenant, Http(tenant) as http:
        uuid = tenant.state.systems.document("sandbox-exec")["uuid"]
        body = {"associatedUuid": uuid, "event": "*", "persistent": True}
        retried = {**body, "url": f"{hook.url}/retried", "policy": {"retryStrategy": "DELAYED", "retryDelay": 60}}
        broken = {**body, "url": f"{silent.url}/broken"}
        for each in (retried, broken):
            http.post("/notifications/v2/", json=each).raise_for_status()
        hook.refuse(500)
        tenant.state.systems.mark("sandbox-exec", "DOWN", by="admin")
        assert silent.reached.wait(20)
        assert hook.reached.wait(20)
    with Sandbox(tmp_path, clock=clock) as tenant, Http(tenant) as http:
        clock.advance(60)
        silent.close()
        tenant.run_until_idle()
        assert [each.target for each in hook.received] == ["/retried", "/retried"]
        assert silent.connections > 1


def test_a_tenant_that_is_killed_loses_no_delivery(tmp_path: Path, hook: Hook) -> None:
    program = """
import sys
from agavepy.sandbox import Sandbox
tenant = Sandbox(sys.argv[1]).start()
ag = tenant.client()
uuid = ag.systems.get(systemId="sandbox-exec").uuid
policy = {"retryStrategy": "DELAYED", "retryDelay": 3600}
body = {"associatedUuid": uuid, "event": "*", "url": sys.argv[2], "policy": policy, "persistent": True}
ag.notifications.add(body=body)
for status in ("DOWN", "UP", "DOWN"):
    tenant.state.systems.mark("sandbox-exec", status, by="admin")
tenant.run_until_idle()
print("told", flush=True)
sys.stdin.read()
"""
    hook.refuse(500, 500, 500)
    command = [sys.executable, "-c", program, str(tmp_path), f"{hook.url}/?s=${{STATUS}}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "told\n"
        running.kill()
    before = len(hook.received)
    with Sandbox(tmp_path, clock=ManualClock(time.time() + 7200)) as tenant:
        tenant.run_until_idle()
    assert sorted(each.json["status"] for each in hook.received[before:]) == ["DOWN", "DOWN", "UP"]
    assert before == 3


# E-mail


def test_an_email_tells_of_a_job(tmp_path: Path, post: Post) -> None:
    with Sandbox(tmp_path, smtp=post.address) as tenant, Http(tenant) as http:
        compute = Compute(tenant, http)
        asked = [{"url": "nryan+${JOB_STATUS}@example.org", "event": "FINISHED"}]
        job_id = compute.submit(compute.app(), name="wc demo", notifications=asked)
        tenant.run_until_idle()
        [got] = post.messages
        assert got["To"] == "nryan+FINISHED@example.org"
        assert got["Subject"] == "[Agave] job wc demo FINISHED"
        text = got.get_content()
        for told in ("FINISHED", "wc demo", f"{tenant.url}/jobs/v2/{job_id}", "Ended:", f"job-{job_id}"):
            assert told in text


def test_an_email_that_is_not_taken_is_tried_again(tmp_path: Path, post: Post) -> None:
    clock = ManualClock()
    with Sandbox(tmp_path, smtp=post.address, clock=clock) as tenant, Http(tenant) as http:
        uuid = tenant.state.systems.document("sandbox-exec")["uuid"]
        policy = {"retryStrategy": "EXPONENTIAL"}
        body = {"associatedUuid": uuid, "event": "*", "url": "a@example.org", "policy": policy}
        http.post("/notifications/v2/", json=body).raise_for_status()
        post.full = True
        tenant.state.systems.mark("sandbox-exec", "DOWN", by="admin")
        tenant.run_until_idle()
        assert post.messages == []
        post.full = False
        clock.advance(5)
        tenant.run_until_idle()
        assert len(post.messages) == 1


def test_without_an_smtp_server_an_email_fails_with_the_way_out(
    tenant: Sandbox, http: Http, system: dict[str, Any]
) -> None:
    watch = Watch(tenant, http, system, "a@example.org", policy={"saveOnFailure": True})
    watch.cause("disable")
    [kept] = watch.attempts
    assert "--smtp HOST:PORT" in kept["response"]["message"]
    assert (watch.record["attempts"], watch.record["success"]) == (1, False)


def test_a_macro_cannot_add_a_recipient_or_a_header(tmp_path: Path, post: Post) -> None:
    with Sandbox(tmp_path, smtp=post.address) as tenant, Http(tenant) as http:
        compute = Compute(tenant, http)
        app = compute.app()
        asked = [{"url": "${JOB_NAME}@example.org", "event": "FINISHED", "policy": {"saveOnFailure": True}}]
        compute.submit(app, name="x@y, z\r\nBcc: all", notifications=asked)
        compute.submit(app, name="x\r\nBcc: all@example.org", notifications=[{"url": "a@b.org", "event": "FINISHED"}])
        tenant.run_until_idle()
        [got] = post.messages
        assert (got["To"], got["Bcc"]) == ("a@b.org", None)


@pytest.mark.parametrize("address", ["", "localhost", "localhost:", ":25", "localhost:0", "localhost:99999"])
def test_an_smtp_server_that_is_none_is_refused_at_once(address: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        Sandbox(smtp=address)


# Of metadata


def _watch(http: Http, uuid: str, hook: Hook) -> None:
    url = f"{hook.url}/?e=${{EVENT}}:${{METADATA_NAME}}"
    body = {"associatedUuid": uuid, "event": "*", "persistent": True, "url": url}
    assert http.post("/notifications/v2/", json=body).status_code == 201


def test_metadata_tells_what_happens_to_it(tenant: Sandbox, http: Http, hook: Hook) -> None:
    item = http.post("/meta/v2/data/", json={"name": "tide", "value": 1}).json()["result"]["uuid"]
    _watch(http, item, hook)
    http.post(f"/meta/v2/data/{item}", json={"value": 2})
    tenant.add_user("reader", "a password")
    for word in ("READ", "READ_WRITE", "NONE"):
        http.post(f"/meta/v2/data/{item}/pems", json={"username": "reader", "permission": word})
    tenant.run_until_idle()
    changes = ["UPDATED", "PERMISSION_GRANT", "PERMISSION_UPDATE", "PERMISSION_REVOKE"]
    assert hook.events() == [f"{event}:tide" for event in changes]
    http.delete(f"/meta/v2/data/{item}")
    tenant.run_until_idle()
    assert hook.events()[-1] == "DELETED:tide"


def test_metadata_is_told_of_to_who_watches_what_it_belongs_to(
    tenant: Sandbox, http: Http, hook: Hook, job: dict[str, Any]
) -> None:
    _watch(http, job["id"], hook)
    given = {"name": "tide", "value": 1, "associationIds": [job["id"]]}
    item = http.post("/meta/v2/data/", json=given).json()["result"]["uuid"]
    http.delete(f"/meta/v2/data/{item}")
    tenant.run_until_idle()
    assert hook.events() == ["METADATA_CREATED:tide", "METADATA_DELETED:tide"]


def test_metadata_of_others_is_not_told_of(tenant: Sandbox, http: Http, hook: Hook) -> None:
    system = http.get("/systems/v2/sandbox-storage").json()["result"]["uuid"]
    _watch(http, system, hook)
    tenant.add_user("other", "a password")
    with Http(tenant, user="other", password="a password") as other:
        other.post("/meta/v2/data/", json={"name": "secret", "value": 1, "associationIds": [system]})
    http.post("/meta/v2/data/", json={"name": "own", "value": 1, "associationIds": [system]})
    tenant.run_until_idle()
    assert hook.events() == ["METADATA_CREATED:own"]


def test_notifications_come_with_the_metadata_they_are_about(tenant: Sandbox, http: Http, hook: Hook) -> None:
    embedded = [{"url": f"{hook.url}/?e=${{EVENT}}", "event": "*", "persistent": True}]
    given = {"name": "tide", "value": 1, "notifications": embedded}
    item = http.post("/meta/v2/data/", json=given).json()["result"]["uuid"]
    http.post(f"/meta/v2/data/{item}", json={"value": 2})
    tenant.run_until_idle()
    assert hook.events() == ["CREATED", "UPDATED"]
    wrong = http.post("/meta/v2/data/", json={**given, "notifications": [{"url": "nowhere", "event": "*"}]})
    assert "notification.url" in refusal(wrong, status=400)


@pytest.mark.parametrize("kind", ["profile", "schema", "metadata", "monitor"])
def test_every_kind_of_resource_can_be_watched(http: Http, hook: Hook, kind: str) -> None:
    made = {
        "profile": lambda: http.get("/profiles/v2/me").json()["result"].get("uuid"),
        "schema": lambda: http.post("/meta/v2/schemas/", json={"type": "object"}).json()["result"]["uuid"],
        "metadata": lambda: http.post("/meta/v2/data/", json={"name": "a", "value": 1}).json()["result"]["uuid"],
        "monitor": lambda: http.post("/monitors/v2/", json={"target": "sandbox-storage"}).json()["result"]["id"],
    }[kind]()
    _watch(http, made, hook)
