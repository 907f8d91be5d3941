"""Monitors: checks that really run, on a schedule by the tenant's clock and on demand; what they find and change."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agavepy.sandbox import ManualClock, Sandbox

from .compute import as_form
from .conftest import Http
from .receivers import Hook
from .schema import checked, refusal

MINUTE = 60


@pytest.fixture
def system(http: Http, admin: Http) -> Iterator[str]:
    """A storage system of the user's own."""
    described = {
        "id": "monitored",
        "name": "monitored",
        "type": "STORAGE",
        "storage": {"protocol": "LOCAL", "host": "localhost", "homeDir": "/home", "auth": {"type": "LOCAL"}},
    }
    checked(http.post("/systems/v2/", json=described), "systems.add", status=201)
    yield "monitored"
    admin.put("/systems/v2/monitored", json={"action": "erase"}).raise_for_status()


@pytest.fixture
def monitor(http: Http, system: str) -> Iterator[dict[str, Any]]:
    """A monitor of that system, every 10 minutes, that may change its status."""
    body = {"target": system, "frequency": 10, "updateSystemStatus": True}
    made = checked(http.post("/monitors/v2/", json=body), "monitors.add", status=201)
    yield made
    http.delete(f"/monitors/v2/{made['id']}")


@pytest.fixture
def home(tenant: Sandbox, system: str) -> Path:
    """The system's home folder on disk."""
    return tenant.state.disk.home_of(tenant.state.systems.document(system))


def check(http: Http, monitor: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = checked(http.post(f"/monitors/v2/{monitor['id']}/checks"), "monitors.runCheck", status=201)
    return made


def results(http: Http, monitor: dict[str, Any], **query: str) -> list[str]:
    answer = http.get(f"/monitors/v2/{monitor['id']}/checks", params=query)
    return [each["result"] for each in checked(answer, "monitors.listChecks")]


def status(http: Http) -> str:
    return str(http.get("/systems/v2/monitored").json()["result"]["status"])


def test_every_operation_works_through_the_client(tenant: Sandbox) -> None:
    ag = tenant.client()
    made = ag.monitors.add(body={"target": "sandbox-exec", "frequency": 5})
    assert (made.target, made.frequency, made.id[-4:]) == ("sandbox-exec", 5, "-014")
    assert made.id in [each.id for each in ag.monitors.list(target="sandbox-exec", active=True)]
    assert ag.monitors.list(target="sandbox-storage") == []
    changed = ag.monitors.update(monitorId=made.id, body={"target": "sandbox-storage", "frequency": 7})
    assert (changed.target, changed.frequency) == ("sandbox-storage", 7)
    ran = ag.monitors.runCheck(monitorId=made.id)
    assert (ran.type, ran.result, ran.id[-4:]) == ("STORAGE", "PASSED", "-015")
    assert [each.id for each in ag.monitors.listChecks(monitorId=made.id)] == [ran.id]
    assert ag.monitors.getCheck(monitorId=made.id, checkId=ran.id) == ran
    assert ag.monitors.get(monitorId=made.id).lastCheck.id == ran.id
    ag.monitors.delete(monitorId=made.id)
    assert ag.monitors.list() == []
    assert not ag.drift


def test_a_new_monitor_has_everything_filled_in(http: Http, system: str) -> None:
    made = checked(http.post("/monitors/v2/", json={"target": system}), "monitors.add", status=201)
    assert (made["frequency"], made["active"], made["updateSystemStatus"]) == (720, True, False)
    assert (made["lastCheck"], made["lastSuccess"], made["owner"]) == ({}, None, http.user)
    for name in ("self", "checks", "notifications", "system", "owner"):
        assert http.get(made["_links"][name]["href"]).status_code == 200
    http.delete(f"/monitors/v2/{made['id']}").raise_for_status()


def test_forms_and_files_are_taken_too(http: Http, system: str) -> None:
    form = {"target": system, "frequency": "30", "active": "False"}
    for sent in (http.post("/monitors/v2/", data=form), http.post("/monitors/v2/", files=as_form(form))):
        made = checked(sent, "monitors.add", status=201)
        assert (made["frequency"], made["active"], made["nextUpdate"]) == (30, False, None)
        http.delete(f"/monitors/v2/{made['id']}").raise_for_status()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"target": ""}, 400),
        ({"target": None}, 400),
        ({"target": "no-such-system"}, 404),
        ({"frequency": 0}, 400),
        ({"frequency": "often"}, 400),
        ({"active": "perhaps"}, 400),
    ],
)
def test_what_is_asked_wrongly_is_refused(http: Http, system: str, change: dict[str, Any], code: int) -> None:
    refusal(http.post("/monitors/v2/", json={"target": system, **change}), status=code)


def test_only_who_manages_a_system_may_have_its_status_changed(http: Http, admin: Http) -> None:
    body = {"target": "sandbox-exec", "updateSystemStatus": True}
    assert "ADMIN" in refusal(http.post("/monitors/v2/", json=body), status=403)
    made = checked(admin.post("/monitors/v2/", json=body), "monitors.add", status=201)
    admin.delete(f"/monitors/v2/{made['id']}").raise_for_status()


def test_a_monitor_is_its_owners(http: Http, other: Http, monitor: dict[str, Any]) -> None:
    address = f"/monitors/v2/{monitor['id']}"
    refusal(other.get(address), status=403)
    refusal(other.get(f"{address}/checks"), status=403)
    refusal(other.post(f"{address}/checks"), status=403)
    refusal(other.post(address, json={"target": "sandbox-exec"}), status=403)
    refusal(other.put(address, json={"action": "disable"}), status=403)
    refusal(other.delete(address), status=403)
    refusal(other.post("/monitors/v2/", json={"target": "monitored"}), status=403)
    assert checked(other.get("/monitors/v2/"), "monitors.list") == []
    refusal(http.get("/monitors/v2/1-1-0001-014"), status=404)
    refusal(http.get(f"{address}/checks/1-1-0001-015"), status=404)


def test_monitors_can_be_searched(http: Http, monitor: dict[str, Any]) -> None:
    found = checked(http.get("/monitors/v2/", params={"frequency.gt": "9"}), "monitors.list")
    assert [each["id"] for each in found] == [monitor["id"]]
    assert checked(http.get("/monitors/v2/", params={"frequency.gt": "10"}), "monitors.list") == []


def test_checks_run_when_the_clock_says_so(
    tenant: Sandbox, http: Http, monitor: dict[str, Any], clock: ManualClock
) -> None:
    clock.advance(10 * MINUTE - 1)
    tenant.run_until_idle()
    assert results(http, monitor) == []
    clock.advance(1)
    tenant.run_until_idle()
    assert results(http, monitor) == ["PASSED"]
    clock.advance(35 * MINUTE)
    tenant.run_until_idle()
    assert results(http, monitor) == ["PASSED", "PASSED"]
    now = checked(http.get(f"/monitors/v2/{monitor['id']}"), "monitors.get")
    assert now["lastSuccess"] == now["lastCheck"]["created"]


def test_a_disabled_monitor_rests_until_it_is_enabled(
    tenant: Sandbox, http: Http, monitor: dict[str, Any], clock: ManualClock
) -> None:
    address = f"/monitors/v2/{monitor['id']}"
    assert http.put(address, json={"action": "disable"}).json()["result"]["active"] is False
    clock.advance(60 * MINUTE)
    tenant.run_until_idle()
    assert results(http, monitor) == []
    assert http.put(address, data={"action": "ENABLE"}).json()["result"]["active"] is True
    clock.advance(10 * MINUTE)
    tenant.run_until_idle()
    assert results(http, monitor) == ["PASSED"]
    refusal(http.put(address, json={"action": "explode"}), status=400)
    refusal(http.put(address), status=400)


def test_a_folder_that_is_gone_marks_the_system_as_down_until_it_is_back(
    http: Http, monitor: dict[str, Any], home: Path
) -> None:
    shutil.rmtree(home)
    failed = check(http, monitor)
    assert (failed["type"], failed["result"]) == ("STORAGE", "FAILED")
    assert "No such file" in failed["message"]
    assert status(http) == "DOWN"
    home.mkdir()
    assert check(http, monitor)["result"] == "PASSED"
    assert status(http) == "UP"


def test_a_folder_that_is_a_file_fails(http: Http, monitor: dict[str, Any], home: Path) -> None:
    home.rmdir()
    home.write_text("in the way")
    assert check(http, monitor)["result"] == "FAILED"


def test_a_system_in_maintenance_stays_so(tenant: Sandbox, http: Http, monitor: dict[str, Any]) -> None:
    body = {**tenant.state.systems.document("monitored"), "status": "MAINTENANCE"}
    checked(http.post("/systems/v2/monitored", json=body), "systems.update")
    assert check(http, monitor)["result"] == "PASSED"
    assert status(http) == "MAINTENANCE"


def test_a_system_that_cannot_be_asked_is_unknown(http: Http, monitor: dict[str, Any]) -> None:
    http.put("/systems/v2/monitored", json={"action": "disable"}).raise_for_status()
    found = check(http, monitor)
    assert (found["result"], "disabled" in found["message"]) == ("UNKNOWN", True)


def test_an_execution_system_is_logged_in_to_as_well(tenant: Sandbox, http: Http) -> None:
    made = checked(http.post("/monitors/v2/", json={"target": "sandbox-exec"}), "monitors.add", status=201)
    assert check(http, made)["type"] == "LOGIN"
    kept = checked(http.get(f"/monitors/v2/{made['id']}/checks"), "monitors.listChecks")
    assert [each["type"] for each in kept] == ["LOGIN", "STORAGE"]
    only = checked(http.get(f"/monitors/v2/{made['id']}/checks", params={"type": "LOGIN"}), "monitors.listChecks")
    assert [each["type"] for each in only] == ["LOGIN"]
    http.delete(f"/monitors/v2/{made['id']}").raise_for_status()


def test_checks_can_be_listed_by_time_and_result(
    http: Http, monitor: dict[str, Any], home: Path, clock: ManualClock
) -> None:
    check(http, monitor)
    clock.advance(MINUTE)
    between = clock.now()
    clock.advance(MINUTE)
    shutil.rmtree(home)
    check(http, monitor)
    home.mkdir()
    assert results(http, monitor) == ["FAILED", "PASSED"]
    assert results(http, monitor, result="FAILED") == ["FAILED"]
    assert results(http, monitor, startDate=str(int(between * 1000))) == ["FAILED"]
    assert results(http, monitor, endDate=str(int(between * 1000))) == ["PASSED"]
    assert results(http, monitor, limit="1", offset="1") == ["PASSED"]
    address = f"/monitors/v2/{monitor['id']}/checks"
    refusal(http.get(address, params={"startDate": "soon"}), status=400)
    refusal(http.get(address, params={"result": "MAYBE"}), status=400)


def test_results_are_told_to_those_who_watch(
    tenant: Sandbox, http: Http, monitor: dict[str, Any], home: Path, hook: Hook
) -> None:
    url = f"{hook.url}/${{TARGET}}/${{LAST_RESULT}}?e=${{EVENT}}"
    body = {"associatedUuid": monitor["id"], "event": "*", "persistent": True, "url": url}
    checked(http.post("/notifications/v2/", json=body), "notifications.add", status=201)
    shutil.rmtree(home)
    check(http, monitor)
    home.mkdir()
    check(http, monitor)
    tenant.run_until_idle()
    told = ["FORCED_CHECK_REQUESTED", "CHECK_FAILED", "RESULT_CHANGE", "STATUS_CHANGE"]
    assert hook.events() == [*told, *(event.replace("FAILED", "PASSED") for event in told)]
    assert hook.received[1].target.startswith("/monitored/FAILED?")
    assert hook.received[1].json["lastCheck"]["result"] == "FAILED"


def test_monitors_and_their_results_survive_a_restart(tmp_path: Path) -> None:
    clock = ManualClock()
    with Sandbox(tmp_path, clock=clock) as tenant, Http(tenant) as http:
        made = checked(http.post("/monitors/v2/", json={"target": "sandbox-storage"}), "monitors.add", status=201)
        check(http, made)
    clock.advance(720 * MINUTE)
    with Sandbox(tmp_path, clock=clock) as tenant, Http(tenant) as http:
        tenant.run_until_idle()
        assert results(http, made) == ["PASSED", "PASSED"]
