"""Notifications: who is told of which events of which resource. The deliveries do the telling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..api import ApiError, Call, Forbidden, Listing, NotFound, Unreachable
from ..clock import iso
from ..deliveries import NOTIFICATION, Deliveries
from ..events import Subject
from ..resources_by_uuid import find
from ..store import new_uuid
from . import Service, brief, notification_records
from .notification_request import read

if TYPE_CHECKING:
    from ..state import State

Notification = dict[str, Any]
Settings = dict[str, Any]


class Notifications(Service):
    """The operations of resources/notifications.yaml."""

    name = "notifications"

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.deliveries = Deliveries(state)

    def start(self) -> None:
        """Send what is due, and go on."""
        self.deliveries.start()

    def wait_idle(self, timeout_s: float) -> None:
        """Return when all deliveries that are due were tried; :raises TimeoutError: not in time."""
        self.deliveries.wait_idle(timeout_s)

    def close(self) -> None:
        """Keep the deliveries that are left for the next tenant on this root."""
        self.deliveries.close()

    # What the other services ask

    def attach(self, uuid: str, settings: list[Settings], *, owner: str) -> list[Notification]:
        """Create the notifications that came with a request for a resource; return them."""
        return [self._create({"associatedUuid": uuid, **each}, owner=owner) for each in settings]

    def found(self, uuid: str, user: str) -> Notification:
        """Return a notification's document; :raises NotFound: there is none; Forbidden: it is another user's."""
        notification = self.store.get(NOTIFICATION, uuid)
        if notification is None:
            raise NotFound(f"No notification found matching {uuid}")
        if user != notification["owner"] and not self.state.accounts.is_admin(user):
            raise Forbidden(f"Permission denied. The notification {uuid} is another user's.")
        return notification

    # The operations

    def list(self, call: Call, *, associatedUuid: str | None = None) -> Listing:
        mine = (each for each in self.store.all(NOTIFICATION) if each["owner"] == call.user)
        wanted = (each for each in mine if associatedUuid in (None, "", each["associatedUuid"]))
        return Listing(
            wanted,
            lambda each: notification_records.summary(each, self._subject(each), call),
            lambda each: self._shown(each, call),
        )

    @brief
    def get(self, call: Call, *, uuid: str) -> Notification:
        return self._shown(self.found(uuid, call.user), call)

    def add(self, call: Call, *, body: Any) -> Notification:
        settings = read(body)
        self._require_readable(settings["associatedUuid"], call.user)
        with self.store.transaction():
            return self._shown(self._create(settings, owner=call.user), call)

    def update(self, call: Call, *, uuid: str, body: Any) -> Notification:
        with self.store.transaction():
            known = self.found(uuid, call.user)
            if known["status"] == "COMPLETE":
                raise Unreachable(f"The notification {uuid} has been delivered and can no longer be changed. Add one.")
            names = ("associatedUuid", "url", "event", "persistent", "policy")
            settings = read(body, known={name: known[name] for name in names})
            self._require_readable(settings["associatedUuid"], known["owner"])
            self.deliveries.unsubscribe(known)
            changed = self._keep({**known, **settings, "status": "ACTIVE"}, "UPDATED", call.user)
        return self._shown(changed, call)

    def delete(self, call: Call, *, uuid: str) -> None:
        with self.store.transaction():
            known = self.found(uuid, call.user)
            self.deliveries.forget(known)
            self.store.delete(NOTIFICATION, uuid)

    def _create(self, settings: Settings, *, owner: str) -> Notification:
        notification = {
            "id": new_uuid("011"),
            "owner": owner,
            **settings,
            "status": "ACTIVE",
            "attempts": 0,
            "success": False,
            "responseCode": None,
            "lastSent": None,
            "created": iso(self.clock.now()),
        }
        return self._keep(notification, "CREATED", owner)

    def _keep(self, notification: Notification, event: str, user: str) -> Notification:
        now = self.clock.now()
        notification = {**notification, "lastUpdated": iso(now)}
        self.store.put(NOTIFICATION, notification["id"], notification, updated=now)
        self.store.add_event(notification["id"], event, f"{event} by {user}", created=now, created_by=user)
        self.deliveries.subscribe(notification)
        return notification

    def _require_readable(self, uuid: str, user: str) -> None:
        """:raises ApiError: there is no such resource, or the user may not read it; ``*`` is for administrators."""
        if uuid != "*":
            find(self.state, uuid, user=user)
        elif not self.state.accounts.is_admin(user):
            raise Forbidden("Permission denied. Only tenant administrators may be told of every resource, '*'.")

    def _shown(self, notification: Notification, call: Call) -> Notification:
        return notification_records.full(notification, self._subject(notification), call)

    def _subject(self, notification: Notification) -> Subject | None:
        try:
            return find(self.state, notification["associatedUuid"], user=notification["owner"])
        except ApiError:
            return None  # it is gone, or no longer the owner's to read: then there is nothing to link to
