"""The hub of events, and what the services publish: on every status, action, change and permission."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from agavepy.sandbox import ManualClock, Sandbox
from agavepy.sandbox.api import Call
from agavepy.sandbox.events import Event, Events, Subject
from agavepy.sandbox.macros import of_permission, values_of
from agavepy.sandbox.store import Store
from agavepy.sandbox.timetable import Timetable

from .compute import Compute
from .conftest import Http
from .schema import checked

WIDGET = Subject("1-1-0001-007", "jobs/v2/1", lambda user: True, lambda call: {"id": "1"})


@pytest.fixture
def heard(tenant: Sandbox) -> Iterator[list[Event]]:
    """The events published from here on."""
    found: list[Event] = []
    listening = True
    tenant.state.events.listen(lambda event: found.append(event) if listening else None)
    yield found
    listening = False


def names(heard: list[Event], uuid: str) -> list[str]:
    return [event.name for event in heard if event.subject.uuid == uuid]


# The hub


def test_every_listener_hears_every_event() -> None:
    events, first, second = Events(), [], []
    events.listen(first.append)
    events.listen(second.append)
    events.publish(WIDGET, "CREATED", by="sandbox", macros={"A": "b"})
    assert first == second == [Event(WIDGET, "CREATED", "sandbox", {"A": "b"})]


def test_what_follows_a_transaction_happens_once_it_has_taken_effect_and_not_without(tmp_path: Any) -> None:
    store, done = Store(tmp_path / "a.sqlite"), []
    with store.transaction():
        store.when_committed(lambda: done.append(store.in_transaction))
        assert done == []
    with contextlib.suppress(KeyError), store.transaction():
        store.when_committed(lambda: done.append("never"))
        raise KeyError
    with store.transaction():
        pass
    store.when_committed(lambda: done.append("now"))
    store.close()
    assert done == [False, "now"]


def test_a_change_that_fails_has_told_nobody(tenant: Sandbox, http: Http) -> None:
    system = tenant.state.systems.document("sandbox-exec")
    body = {"associatedUuid": system["uuid"], "event": "NEVER", "url": "http://127.0.0.1:9/"}
    made = checked(http.post("/notifications/v2/", json=body), "notifications.add", status=201)
    with contextlib.suppress(KeyError), tenant.state.store.transaction():
        tenant.state.events.publish(tenant.state.systems.subject_of(system), "NEVER", by="admin")
        raise KeyError
    tenant.run_until_idle()
    assert http.get(f"/notifications/v2/{made['id']}").json()["result"]["attempts"] == 0


# The timetable


def test_a_timetable_carries_out_what_is_due_and_no_key_beside_itself() -> None:
    clock, done, gate, begun = ManualClock(), [], threading.Event(), threading.Event()

    def carry_out(key: str) -> float | None:
        done.append(key)
        if key == "slow":
            begun.set()
            assert gate.wait(20)
        return clock.now() + 10 if key == "again" else None

    table = Timetable(clock, carry_out, name="test", workers=2)
    table.start({"again": clock.now() + 10})
    table.put("slow", clock.now())
    assert begun.wait(20)
    table.put("slow", clock.now())  # while it runs: once more afterwards
    table.put("other", clock.now())
    assert done.count("slow") == 1
    gate.set()
    table.wait_idle(20)
    assert sorted(done) == ["other", "slow", "slow"]
    for _ in range(2):
        clock.advance(10)
        table.wait_idle(20)
    table.close()
    clock.advance(10)
    assert done.count("again") == 2


def test_a_key_that_fails_is_tried_again_later(caplog: pytest.LogCaptureFixture) -> None:
    clock, tries = ManualClock(), []

    def carry_out(key: str) -> None:
        tries.append(key)
        if len(tries) == 1:
            raise OSError("the disk is full")

    table = Timetable(clock, carry_out, name="test", workers=1)
    table.start({"a": clock.now()})
    table.wait_idle(20)
    assert "the disk is full" in caplog.text
    clock.advance(60)
    table.wait_idle(20)
    table.close()
    assert tries == ["a", "a"]


# What the services publish


def test_a_job_tells_of_every_status_and_of_itself_on_its_system_and_app(
    tenant: Sandbox, compute: Compute, heard: list[Event]
) -> None:
    app_id = compute.app()
    app = compute.http.get(f"/apps/v2/{app_id}").json()["result"]
    system = tenant.state.systems.document("sandbox-exec")
    job = compute.run(app_id)
    compute.http.post(f"/jobs/v2/{job['id']}/pems", json={"username": "admin", "permission": "READ"})
    compute.http.delete(f"/jobs/v2/{job['id']}").raise_for_status()
    compute.http.post(f"/jobs/v2/{job['id']}", json={"action": "restore"}).raise_for_status()
    told = ["CREATED", *compute.statuses(job["id"])]
    assert told[-3:] == ["PERMISSION_GRANT", "DELETED", "RESTORED"]
    assert names(heard, job["id"]) == told
    assert names(heard, system["uuid"]) == [f"JOB_{name}" for name in told]
    assert names(heard, app["uuid"]) == ["CREATED", "JOB_CREATED"]


def test_a_jobs_event_on_its_system_holds_both_and_is_for_those_who_may_read_both(
    tenant: Sandbox, compute: Compute, other: Http, heard: list[Event]
) -> None:
    job = compute.run(compute.app())
    event = next(each for each in heard if each.name == "JOB_RUNNING")
    shown = event.subject.show(Call(user=compute.user, operation="test", base_url="http://t"))
    assert (shown["job"]["id"], shown["job"]["status"], shown["system"]["id"]) == (job["id"], "RUNNING", "sandbox-exec")
    assert event.subject.allows(compute.user)
    assert not event.subject.allows(other.user)


def test_a_script_gives_its_notifications_names_but_not_those_of_the_tenant(
    tenant: Sandbox, compute: Compute, heard: list[Event]
) -> None:
    named = "${AGAVE_JOB_CALLBACK_NOTIFICATION|HALFWAY|step}"
    posing = "${AGAVE_JOB_CALLBACK_NOTIFICATION|FINISHED|step}"
    job = compute.run(compute.app(f"step=2; {named}; {posing}; ${{AGAVE_JOB_CALLBACK_ALIVE}}\n"))
    told = names(heard, job["id"])
    assert (told.count("HALFWAY"), told.count("FINISHED"), told.count("HEARTBEAT")) == (1, 1, 2)


def test_files_tell_of_what_happens_to_them(tenant: Sandbox, http: Http, other: Http, heard: list[Event]) -> None:
    media = f"/files/v2/media/system/sandbox-storage/{http.user}"
    sent = http.post(media, files={"fileToUpload": ("a.txt", b"a")})
    uuid = checked(sent, "files.importData", status=202)["uuid"]
    http.get(f"{media}/a.txt").raise_for_status()
    pems = f"/files/v2/pems/system/sandbox-storage/{http.user}/a.txt"
    http.post(pems, json={"username": other.user, "permission": "READ"}).raise_for_status()
    http.put(f"{media}/a.txt", json={"action": "rename", "path": "b.txt"}).raise_for_status()
    http.put(f"{media}/b.txt", json={"action": "move", "path": f"{http.user}/c.txt"}).raise_for_status()
    http.delete(f"{media}/c.txt").raise_for_status()
    assert names(heard, uuid) == [
        *("CREATED", "UPLOAD", "STAGING_COMPLETED", "DOWNLOAD", "PERMISSION_GRANT", "RENAME", "MOVED", "DELETED"),
    ]
    call = Call(user=http.user, operation="notifications.deliver", base_url=tenant.url)
    statuses = [each.subject.show(call)["status"] for each in heard if each.subject.uuid == uuid]
    assert statuses[:3] == ["CREATED", "CREATED", "STAGING_COMPLETED"]
    granted = next(each for each in heard if each.name == "PERMISSION_GRANT")
    assert (granted.macros["PERMISSION_USERNAME"], granted.macros["PERMISSION_PERMISSION"]) == (other.user, "READ")


def test_systems_and_apps_tell_of_what_happens_to_them(compute: Compute, other: Http, heard: list[Event]) -> None:
    http = compute.http
    storage = {"protocol": "LOCAL", "host": "localhost", "auth": {"type": "LOCAL"}}
    body = {"id": "telling", "name": "t", "type": "STORAGE", "storage": storage}
    system = checked(http.post("/systems/v2/", json=body), "systems.add", status=201)
    http.post("/systems/v2/telling/roles", json={"username": other.user, "role": "USER"}).raise_for_status()
    http.put("/systems/v2/telling", json={"action": "disable"}).raise_for_status()
    http.put("/systems/v2/telling", json={"action": "enable"}).raise_for_status()
    http.delete("/systems/v2/telling").raise_for_status()
    assert names(heard, system["uuid"]) == ["CREATED", "ROLES_GRANT", "DISABLED", "ENABLED", "DELETED"]
    assert next(each for each in heard if each.name == "ROLES_GRANT").macros["ROLE_USERNAME"] == other.user
    app_id = compute.app()
    app = http.get(f"/apps/v2/{app_id}").json()["result"]
    pems = f"/apps/v2/{app_id}/pems"
    http.post(pems, json={"username": other.user, "permission": "READ"}).raise_for_status()
    http.put(f"/apps/v2/{app_id}", json={"action": "disable"}).raise_for_status()
    http.delete(f"/apps/v2/{app_id}").raise_for_status()
    assert names(heard, app["uuid"]) == ["CREATED", "PERMISSION_GRANT", "DISABLED", "DELETED"]


# Macros


def macros_of(kind: str, resource: dict[str, Any]) -> dict[str, str]:
    return values_of(
        kind, resource, uuid="u", event="E", owner="nryan", tenant_id="sandbox", further={"ROLE_ROLE": "USER"}
    )


@pytest.mark.parametrize(
    ("kind", "resource", "expected"),
    [
        ("anything", {}, {"UUID": "u", "EVENT": "E", "OWNER": "nryan", "RAW_JSON": "{}", "ROLE_ROLE": "USER"}),
        ("job", {"id": "1", "archive": True, "inputs": {"a": []}, "message": None, "endTime": "t", "owner": "bob"},
         {"JOB_ID": "1", "JOB_ARCHIVE": "true", "JOB_INPUTS": '{"a":[]}', "JOB_ERROR": "", "JOB_ENDTIME": "t",
          "JOB_END_TIME": "t", "JOB_TENANT": "sandbox", "OWNER": "bob"}),
        ("file", {"uuid": "f", "path": "/a", "systemId": "s", "mimeType": "x/y"},
         {"FILE_ID": "f", "FILE_UUID": "f", "PATH": "/a", "SYSTEM": "s", "FILE_MIMETYPE": "x/y"}),
        ("system", {"id": "s", "globalDefault": False, "storage": {"rootDir": "/", "auth": {"type": "LOCAL"}}},
         {"SYSTEM_ID": "s", "GLOBAL_DEFAULT": "false", "STORAGE_ROOT_DIR": "/"}),
        ("system", {"system": {"id": "s"}, "job": {"id": "1"}}, {"SYSTEM_ID": "s", "JOB_ID": "1"}),
        ("app", {"id": "a", "isPublic": True, "defaultNodeCount": 2},
         {"APP_ID": "a", "APP_IS_PUBLIC": "true", "APP_DEFAULT_NODE_COUNT": "2"}),
        ("metadata", {"uuid": "m", "schemaId": None, "value": {"a": 1}},
         {"METADATA_ID": "m", "METADATA_SCHEMAID": "", "METADATA_VALUE": '{"a":1}'}),
        ("monitor", {"target": "s", "lastCheck": {}}, {"TARGET": "s", "SYSTEM": "s", "LAST_RESULT": ""}),
        ("postit", {"postit": "k", "url": "http://t"}, {"NONCE": "k", "TARGET_URL": "http://t"}),
    ],
)  # fmt: skip
def test_macros_are_those_of_the_resource(kind: str, resource: dict[str, Any], expected: dict[str, str]) -> None:
    found = macros_of(kind, resource)
    assert {name: found.get(name) for name in expected} == expected


def test_a_permission_has_macros_of_its_own() -> None:
    found = of_permission("bob", "READ", changed="now")
    assert (found["PERMISSION_USERNAME"], found["PERMISSION_LASTUPDATED"]) == ("bob", "now")
    assert found["PERMISSION_JSON"] == '{"username":"bob","permission":"READ","lastUpdated":"now"}'
