"""What became of a notification's deliveries. No YAML declares it: its routes are here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from ..api import BadRequest, Call, Listing, NotFound, Reply
from ..deliveries import ATTEMPT
from ..events import Event
from ..resources_by_uuid import find
from . import BEARER, Service, notification_records
from .file_answers import event

if TYPE_CHECKING:
    from .notifications import Notifications


def _operation(name: str, status: str = "200") -> Mapping[str, Any]:
    return {"operationId": name, "responses": {status: {"description": "In result."}}}


def _path(name: str) -> Mapping[str, Any]:
    return {"name": name, "in": "path", "required": True, "type": "string"}


DOCUMENT: dict[str, Any] = {
    **BEARER,
    "paths": {
        "/notifications/v2/{uuid}/attempts": {
            "parameters": [_path("uuid")],
            "get": _operation("list"),
            "post": _operation("fire", "201"),
            "delete": _operation("clear"),
        },
        "/notifications/v2/{uuid}/attempts/{attemptId}": {
            "parameters": [_path("uuid"), _path("attemptId")],
            "get": _operation("get"),
            "delete": _operation("delete"),
        },
        "/notifications/v2/{uuid}/history": {"parameters": [_path("uuid")], "get": _operation("getHistory")},
    },
}


class Attempts(Service):
    """Deliveries that failed, kept with ``saveOnFailure``; the history of all; a delivery at once."""

    name = "attempts"

    @property
    def _notifications(self) -> Notifications:
        return cast("Notifications", self.state.services["notifications"])

    def list(self, call: Call, *, uuid: str) -> Listing:
        notification = self._notifications.found(uuid, call.user)
        kept = [document for _, document in reversed(self.store.below(ATTEMPT, uuid))]
        owner = notification["owner"]
        return Listing(kept, lambda each: notification_records.attempt(each, owner, call))

    def get(self, call: Call, *, uuid: str, attemptId: str) -> dict[str, Any]:
        notification = self._notifications.found(uuid, call.user)
        kept = self.store.get(ATTEMPT, f"{uuid}/{attemptId}")
        if kept is None:
            raise NotFound(f"No attempt found matching {attemptId}")
        return notification_records.attempt(kept, notification["owner"], call)

    def fire(self, call: Call, *, uuid: str) -> Reply:
        """Send the resource as it is now, without an event of its own."""
        notification = self._notifications.found(uuid, call.user)
        if notification["associatedUuid"] == "*":
            raise BadRequest("A notification about every resource cannot be sent without an event.")
        subject = find(self.state, notification["associatedUuid"], user=notification["owner"])
        with self.store.transaction():
            asked = Event(subject, notification["event"], call.user, {})
            delivery = self._notifications.deliveries.queue(notification, asked)
            now = self.clock.now()
            text = f"Delivery {delivery['id']} asked for by {call.user}"
            self.store.add_event(uuid, "FORCED_ATTEMPT", text, created=now, created_by=call.user)
        told = {
            "id": delivery["id"],
            "notificationId": uuid,
            "event": delivery["event"],
            "associatedUuid": subject.uuid,
        }
        return Reply(told, outcome="created")

    def clear(self, call: Call, *, uuid: str) -> None:
        self._notifications.found(uuid, call.user)
        with self.store.transaction():
            for key, _ in self.store.below(ATTEMPT, uuid):
                self.store.delete(ATTEMPT, key)

    def delete(self, call: Call, *, uuid: str, attemptId: str) -> None:
        self.get(call, uuid=uuid, attemptId=attemptId)
        self.store.delete(ATTEMPT, f"{uuid}/{attemptId}")

    def getHistory(self, call: Call, *, uuid: str) -> Any:
        self._notifications.found(uuid, call.user)
        return [event(each) for each in self.store.events(uuid)]
