"""Monitors: systems checked at intervals and on demand, with what was found."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from .. import checks
from ..api import ApiError, BadRequest, Call, Forbidden, Listing, NotFound, Reply
from ..checks import Finding
from ..clock import iso
from ..dates import date, from_iso
from ..events import Subject
from ..fields import Fields
from ..store import new_uuid
from ..timetable import Timetable
from . import BEARER, Service, brief

if TYPE_CHECKING:
    from ..state import State
    from .systems import Systems

Monitor = dict[str, Any]
Check = dict[str, Any]
Findings = list[Finding]  # written out here, since in the class ``list`` is an operation

_KIND, _CHECK = "monitor", "monitor-check"
_MOST_CHECKS = 1000  # kept of one monitor
_MINUTES = 720  # between two checks, unless the request says otherwise
_SHOWN = (
    "id", "target", "owner", "frequency", "updateSystemStatus", "internalUsername", "lastSuccess", "lastUpdated",
    "nextUpdate", "created", "active", "lastCheck",
)  # fmt: skip
_SEARCH = {**{name.lower(): name for name in _SHOWN if name != "lastCheck"}, "lastcheck.result": "lastCheck.result"}
# The real server has it, no YAML declares it.
DOCUMENT: dict[str, Any] = {
    **BEARER,
    "paths": {
        "/monitors/v2/{monitorId}": {
            "put": {
                "operationId": "switch",
                "parameters": [
                    {"name": "monitorId", "in": "path", "required": True, "type": "string"},
                    {"name": "body", "in": "body", "required": True, "schema": {}},
                ],
                "responses": {"200": {"description": "The monitor in result."}},
            }
        }
    },
}
_CHECK_SEARCH = {name: name for name in ("id", "type", "message", "created")}


class Monitors(Service):
    """The operations of resources/monitors.yaml, and the schedule of the checks."""

    name = "monitors"

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self._timetable = Timetable(state.clock, self._check_when_due, name="monitor", workers=1)

    @property
    def _systems(self) -> Systems:
        return cast("Systems", self.state.services["systems"])

    def start(self) -> None:
        """Check what is due, and go on."""
        self._timetable.start({each["id"]: each["next"] for each in self.store.all(_KIND) if each["active"]})

    def wait_idle(self, timeout_s: float) -> None:
        """Return when all checks that are due were made; :raises TimeoutError: not in time."""
        self._timetable.wait_idle(timeout_s)

    def close(self) -> None:
        """Wait for the check that runs."""
        self._timetable.close()

    def subject(self, uuid: str) -> Subject | None:
        monitor = self.store.get(_KIND, uuid)
        return self._subject(monitor) if monitor else None

    # Reading

    def list(self, call: Call, *, target: str | None = None, active: bool | None = None) -> Listing:
        mine = (each for each in self.store.all(_KIND) if each["owner"] == call.user)
        found = (each for each in mine if target in (None, "", each["target"]) and active in (None, each["active"]))
        return Listing(found, lambda each: _full(each, call), search=_SEARCH)

    @brief
    def get(self, call: Call, *, monitorId: str) -> Monitor:
        return _full(self._find(monitorId, call.user), call)

    def _find(self, monitor_id: str, user: str) -> Monitor:
        monitor = self.store.get(_KIND, monitor_id)
        if monitor is None:
            raise NotFound(f"No monitor found with id {monitor_id}")
        if not self._allows(monitor, user):
            raise Forbidden(f"Permission denied. The monitor {monitor_id} is another user's.")
        return monitor

    def _allows(self, monitor: Monitor, user: str) -> bool:
        return user == monitor["owner"] or self.state.accounts.is_admin(user)

    # Creating, updating, deleting

    def add(self, call: Call, *, body: Any) -> Monitor:
        settings = self._settings(body, call.user, known={})
        now = iso(self.clock.now())
        fresh: Monitor = {"id": new_uuid("014"), "owner": call.user, "created": now}
        fresh |= {"lastCheck": {}, "lastSuccess": None}
        with self.store.transaction():
            return _full(self._keep(self._scheduled({**fresh, **settings}), "CREATED", call.user), call)

    def update(self, call: Call, *, monitorId: str, body: Any) -> Monitor:
        with self.store.transaction():
            known = self._find(monitorId, call.user)
            settings = self._settings(body, known["owner"], known=known)
            return _full(self._keep(self._scheduled({**known, **settings}), "UPDATED", call.user), call)

    def switch(self, call: Call, *, monitorId: str, body: Any) -> Monitor:
        """Enable or disable a monitor."""
        action = Fields(body, within="action").choice("action", ("ENABLE", "DISABLE"))
        with self.store.transaction():
            known = self._find(monitorId, call.user)
            switched = self._scheduled({**known, "active": action == "ENABLE"})
            return _full(self._keep(switched, f"{action}D", call.user), call)

    def delete(self, call: Call, *, monitorId: str) -> None:
        with self.store.transaction():
            monitor = self._find(monitorId, call.user)
            self.store.delete(_KIND, monitorId)
            for key, _ in self.store.below(_CHECK, monitorId):
                self.store.delete(_CHECK, key)
            self._publish(monitor, "DELETED", call.user)

    def _settings(self, body: Any, owner: str, *, known: Monitor) -> Monitor:
        fields = Fields(body, within="monitor")
        system = self._systems.find(fields.text("target").strip(), owner)
        updates = fields.flag("updateSystemStatus", default=known.get("updateSystemStatus", False))
        if updates and not self._systems.manages(system, owner):
            raise Forbidden(f"Permission denied. 'updateSystemStatus' takes the role ADMIN on {system['id']}.")
        return {
            "target": system["id"],
            "frequency": fields.whole("frequency", default=known.get("frequency", _MINUTES), digits=True),
            "active": fields.flag("active", default=known.get("active", True)),
            "updateSystemStatus": updates,
            "internalUsername": fields.free_text("internalUsername", default=known.get("internalUsername")),
        }

    def _scheduled(self, monitor: Monitor) -> Monitor:
        """Return the monitor with the time of its next check, counted from now."""
        due = self.clock.now() + monitor["frequency"] * 60
        return {**monitor, "next": due, "nextUpdate": iso(due) if monitor["active"] else None}

    def _keep(self, monitor: Monitor, event: str, user: str) -> Monitor:
        monitor = self._put({**monitor, "lastUpdated": iso(self.clock.now())})
        self._publish(monitor, event, user)
        return monitor

    def _put(self, monitor: Monitor) -> Monitor:
        self.store.put(_KIND, monitor["id"], monitor, updated=self.clock.now())
        if monitor["active"]:
            self.store.when_committed(lambda: self._timetable.put(monitor["id"], monitor["next"]))
        return monitor

    def _publish(self, monitor: Monitor, event: str, user: str) -> None:
        self.state.events.publish(self._subject(monitor), event, by=user)

    def _subject(self, monitor: Monitor) -> Subject:
        return Subject(
            monitor["id"],
            _address(monitor),
            lambda user: self._allows(monitor, user),
            lambda call: _full(monitor, call),
        )

    # Checks

    def listChecks(
        self,
        call: Call,
        *,
        monitorId: str,
        startDate: str | None = None,
        endDate: str | None = None,
        result: str | None = None,
    ) -> Listing:
        monitor = self._find(monitorId, call.user)
        wanted = self._wanted(startDate, endDate, result)
        found = [check for _, check in reversed(self.store.below(_CHECK, monitor["id"])) if wanted(check)]
        return Listing(found, lambda check: _shown_check(check, monitor, call), search=_CHECK_SEARCH)

    def getCheck(self, call: Call, *, monitorId: str, checkId: str) -> Check:
        monitor = self._find(monitorId, call.user)
        check = self.store.get(_CHECK, f"{monitorId}/{checkId}")
        if check is None:
            raise NotFound(f"No check found with id {checkId}")
        return _shown_check(check, monitor, call)

    def runCheck(self, call: Call, *, monitorId: str) -> Reply:
        monitor = self._find(monitorId, call.user)
        self._publish(monitor, "FORCED_CHECK_REQUESTED", call.user)
        check = self._check(monitor)
        return Reply(_shown_check(check, monitor, call), outcome="created")

    def _wanted(self, start: str | None, end: str | None, result: str | None) -> Callable[[Check], bool]:
        now = self.clock.now()
        first = date(start, "startDate", now=now) if start else float("-inf")
        last = date(end, "endDate", now=now) if end else float("inf")
        word = (result or "").upper()
        if word not in ("", "PASSED", "FAILED", "UNKNOWN"):
            raise BadRequest(f"Invalid 'result' value. Value must be one of: PASSED, FAILED, UNKNOWN; got {result}.")
        return lambda check: first <= from_iso(check["created"]) <= last and word in ("", check["result"])

    def _check_when_due(self, monitor_id: str) -> float | None:
        """Check a monitor whose time has come; return when that will be next."""
        monitor = self.store.get(_KIND, monitor_id)
        if monitor is None or not monitor["active"]:
            return None
        if monitor["next"] <= self.clock.now():
            with contextlib.suppress(NotFound):  # deleted while the check ran
                self._check(monitor)
            monitor = self.store.get(_KIND, monitor_id)
        return float(monitor["next"]) if monitor else None

    def _check(self, monitor: Monitor) -> Check:
        """Try the system out; return the check that tells most: the first that did not pass, else the last."""
        found = self._findings(monitor)
        with self.store.transaction():
            known = self.store.get(_KIND, monitor["id"])
            if known is None:
                raise NotFound(f"No monitor found with id {monitor['id']}")
            kept = [self._keep_check(known, finding) for finding in found]
            telling = next((check for check in kept if check["result"] != "PASSED"), kept[-1])
            self._note(known, telling)
        return telling

    def _findings(self, monitor: Monitor) -> Findings:
        try:
            system = self._systems.find(monitor["target"], monitor["owner"])
        except ApiError as problem:
            return [Finding("STORAGE", "UNKNOWN", str(problem))]
        if not system["available"]:
            return [Finding("STORAGE", "UNKNOWN", f"The system {system['id']} is disabled.")]
        return checks.findings(system, self.state.disk)

    def _keep_check(self, monitor: Monitor, finding: Finding) -> Check:
        now = self.clock.now()
        check = {
            "id": new_uuid("015"),
            "type": finding.kind,
            "result": finding.result,
            "message": finding.message,
            "created": iso(now),
        }
        self.store.put(_CHECK, f"{monitor['id']}/{check['id']}", check, updated=now)
        if self.store.count_below(_CHECK, monitor["id"]) > _MOST_CHECKS:
            self.store.delete(_CHECK, self.store.below(_CHECK, monitor["id"])[0][0])
        return check

    def _note(self, known: Monitor, check: Check) -> None:
        """Make a check the monitor's last one, tell of it, and let it decide the system's status if it may."""
        passed = {"lastSuccess": check["created"]} if check["result"] == "PASSED" else {}
        monitor = self._put(self._scheduled({**known, **passed, "lastCheck": check}))
        self._publish(monitor, f"CHECK_{check['result']}", monitor["owner"])
        if check["result"] != (known["lastCheck"] or {}).get("result", "PASSED"):
            self._publish(monitor, "RESULT_CHANGE", monitor["owner"])
        if monitor["updateSystemStatus"] and self._update_system(monitor, check):
            self._publish(monitor, "STATUS_CHANGE", monitor["owner"])

    def _update_system(self, monitor: Monitor, check: Check) -> bool:
        """Mark the system as up or down; return whether that has changed it."""
        status = {"PASSED": "UP", "FAILED": "DOWN"}.get(check["result"])
        return status is not None and self._systems.mark(monitor["target"], status, by=monitor["owner"])


def _full(monitor: Monitor, call: Call) -> Monitor:
    last = monitor["lastCheck"]
    address = _address(monitor)
    return {
        **{name: monitor[name] for name in _SHOWN},
        "lastCheck": _shown_check(last, monitor, call) if last else {},
        "_links": {
            "self": call.link(address),
            "checks": call.link(f"{address}/checks"),
            "notifications": call.link(f"notifications/v2/?associatedUuid={monitor['id']}"),
            "owner": call.link(f"profiles/v2/{quote(monitor['owner'], safe='')}"),
            "system": call.link(f"systems/v2/{monitor['target']}"),
        },
    }


def _shown_check(check: Check, monitor: Monitor, call: Call) -> Check:
    address = _address(monitor)
    links = {"self": call.link(f"{address}/checks/{check['id']}"), "monitor": call.link(address)}
    return {**check, "_links": {**links, "system": call.link(f"systems/v2/{monitor['target']}")}}


def _address(monitor: Monitor) -> str:
    return f"monitors/v2/{monitor['id']}"
