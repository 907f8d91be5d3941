"""Events brought to those who asked to be told: queued in the store, sent, tried again, put on record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from . import macros, mail, targets, webhooks
from .api import Call
from .clock import iso
from .downloads import Interruption, Interruptions
from .events import Event, Subject
from .remembered import Remembered
from .resources_by_uuid import kind_of
from .store import new_uuid
from .timetable import Timetable
from .webhooks import Outcome

if TYPE_CHECKING:
    from .state import State

Notification = dict[str, Any]
Delivery = dict[str, Any]

NOTIFICATION, ATTEMPT = "notification", "attempt"  # kinds of documents
_SUBSCRIPTION, _DELIVERY = "subscription", "delivery"
_WORKERS = 4  # a slow receiver keeps one of them; a notification never has more
_MOST_WAITING = 1000  # deliveries of one notification
_MOST_KEPT = 1000  # attempts of one notification
_LONGEST_URL = 65536  # with its macros replaced
_USER_AGENT = "Agave-Hookbot/2.2.22"
# Seconds between tries of the strategy EXPONENTIAL; the last goes on.
_GROWING_S = (5, 5, 5, 5, 15, 60, 900, 3600)


class Deliveries:
    """
    Listens to the tenant's events. A delivery is in the store from its event on until it has arrived or was given
    up, so it survives the tenant; one that was on its way when the tenant was killed is sent again.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._store = state.store
        self._clock = state.clock
        self._on_their_way = Interruptions()
        self._closing = False
        self._timetable = Timetable(state.clock, self._carry_out, name="delivery", workers=_WORKERS)
        self._subscribed = Remembered(state.store, (_SUBSCRIPTION,), state.store.has_any)
        state.events.listen(self._hear, cares=self._is_anything_subscribed)

    def start(self) -> None:
        """Send what an earlier tenant on this root has left, and all that comes."""
        due: dict[str, float] = {}
        for left in self._store.all(_DELIVERY):
            due[left["notification"]] = min(left["due"], due.get(left["notification"], left["due"]))
        self._timetable.start(due)

    def wait_idle(self, timeout_s: float) -> None:
        """Return when all that is due was sent; :raises TimeoutError: not in time."""
        self._timetable.wait_idle(timeout_s)

    def close(self) -> None:
        """Break off what is on its way, without counting it as tried, and wait for the threads."""
        self._closing = True
        self._on_their_way.interrupt("The tenant stops.")
        self._timetable.close()

    # What the service asks

    def subscribe(self, notification: Notification) -> None:
        """Have a notification told of events from now on, if it is active."""
        self.unsubscribe(notification)
        if notification["status"] == "ACTIVE":
            kept = {"id": notification["id"], "event": notification["event"]}
            self._store.put(_SUBSCRIPTION, _subscription_key(notification), kept, updated=self._clock.now())

    def unsubscribe(self, notification: Notification) -> None:
        """Tell a notification of no further events; those that wait for delivery stay."""
        self._store.delete(_SUBSCRIPTION, _subscription_key(notification))

    def forget(self, notification: Notification) -> None:
        """Give up what waits for delivery, and the record of what was sent."""
        self.unsubscribe(notification)
        self._drop_waiting(notification)
        for key, _ in self._store.below(ATTEMPT, notification["id"]):
            self._store.delete(ATTEMPT, key)

    def queue(self, notification: Notification, event: Event) -> Delivery:
        """Have an event sent to one notification as soon as possible; return the delivery."""
        now = self._clock.now()
        call = Call(user=notification["owner"], operation="notifications.deliver", base_url=self._state.url)
        delivery = {
            "id": new_uuid("042"),
            "notification": notification["id"],
            "subject": event.subject.uuid,
            "event": event.name,
            "resource": event.subject.show(call),
            "macros": dict(event.macros),
            "tries": 0,
            "due": now,
            "begun": None,
        }
        self._store.put(_DELIVERY, _delivery_key(delivery), delivery, updated=now)
        self._store.when_committed(lambda: self._timetable.put(notification["id"], now))
        return delivery

    # Events

    def _hear(self, event: Event) -> None:
        if not self._is_awaited(event):
            return  # most of the time; a transaction would hold up other writers
        with self._store.transaction():
            for notification in list(self._waiting_for(event)):
                self.queue(notification, event)

    def _is_awaited(self, event: Event) -> bool:
        return self._is_anything_subscribed() and any(
            self._store.count_below(_SUBSCRIPTION, place) for place in _places(event)
        )

    def _is_anything_subscribed(self) -> bool:
        return bool(self._subscribed.get(_SUBSCRIPTION))

    def _waiting_for(self, event: Event) -> Iterator[Notification]:
        for place in _places(event):
            for _, subscription in self._store.below(_SUBSCRIPTION, place):
                if subscription["event"].upper() in ("*", event.name.upper()):
                    notification = self._store.get(NOTIFICATION, subscription["id"])
                    if notification is not None and self._is_for(notification, event.subject):
                        yield notification

    def _is_for(self, notification: Notification, subject: Subject) -> bool:
        """Return whether an event is to be sent: its receiver may read of it, and is not buried in others."""
        owner = notification["owner"]
        most = _MOST_WAITING if notification["persistent"] else 1
        return (
            self._store.count_below(_DELIVERY, notification["id"]) < most
            and self._state.accounts.exists(owner)
            and subject.allows(owner)
        )

    # In the threads

    def _carry_out(self, notification_id: str) -> float | None:
        """Send a notification's first delivery that is due; return when the next one is."""
        delivery = self._first(notification_id)
        if delivery is not None and delivery["due"] <= self._clock.now():
            self._send(notification_id, delivery)
            delivery = self._first(notification_id)
        return None if delivery is None or self._closing else float(delivery["due"])

    def _first(self, notification_id: str) -> Delivery | None:
        waiting = [delivery for _, delivery in self._store.below(_DELIVERY, notification_id)]
        return min(waiting, key=lambda delivery: float(delivery["due"]), default=None)

    def _send(self, notification_id: str, delivery: Delivery) -> None:
        notification = self._store.get(NOTIFICATION, notification_id)
        if notification is None:
            return self._drop(delivery)
        begun = self._clock.now()
        with self._on_their_way.including(Interruption()) as interruption:
            outcome = self._sent(notification, delivery, interruption)
        if self._closing and not outcome.success:
            return  # it may have been broken off for that: the next tenant on this root tries again
        with self._store.transaction():
            self._settle(notification_id, {**delivery, "begun": delivery["begun"] or begun}, outcome)

    def _sent(self, notification: Notification, delivery: Delivery, interruption: Interruption) -> Outcome:
        kind, resource = kind_of(delivery["subject"]), delivery["resource"]
        url = targets.filled(notification["url"], self._values(notification, delivery, kind))
        if targets.is_mail(notification["url"]):
            shown = resource.get("job", resource)
            text = mail.text_of(kind, delivery["event"], delivery["subject"], shown)
            return mail.send(url, mail.subject_of(kind, delivery["event"], shown), text, server=self._state.smtp)
        if len(url) > _LONGEST_URL:
            told = f"The address has {len(url)} characters once its macros are replaced; at most {_LONGEST_URL}."
            return Outcome(False, told, hopeless=True)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": _USER_AGENT,
            "X-Agave-Delivery": delivery["id"],
            "X-Agave-Notification": notification["id"],
        }
        body = json.dumps(resource).encode() if resource else b" "
        return webhooks.post(url, body, headers, interruption=interruption)

    def _values(self, notification: Notification, delivery: Delivery, kind: str) -> dict[str, str]:
        return macros.values_of(
            kind,
            delivery["resource"],
            uuid=delivery["subject"],
            event=delivery["event"],
            owner=notification["owner"],
            tenant_id=self._state.tenant_id,
            further=delivery["macros"],
        )

    # What became of it

    def _settle(self, notification_id: str, delivery: Delivery, outcome: Outcome) -> None:
        notification = self._store.get(NOTIFICATION, notification_id)
        if notification is None:
            return self._drop(delivery)  # deleted meanwhile
        notification = self._counted(notification, outcome)
        delivery = {**delivery, "tries": delivery["tries"] + 1}
        pause_s = None if outcome.success or outcome.hopeless else pause(notification["policy"], delivery["tries"])
        if pause_s is None:
            self._finish(notification, delivery, outcome)
        else:
            self._store.put(
                _DELIVERY,
                _delivery_key(delivery),
                {**delivery, "due": self._clock.now() + pause_s},
                updated=self._clock.now(),
            )
            self._note(notification, "SEND_ERROR", f"{outcome.message}; next try in {pause_s} s")

    def _counted(self, notification: Notification, outcome: Outcome) -> Notification:
        now = self._clock.now()
        counted = {
            **notification,
            "attempts": notification["attempts"] + 1,
            "success": outcome.success,
            "responseCode": outcome.code,
            "lastSent": iso(now),
        }
        self._store.put(NOTIFICATION, notification["id"], counted, updated=now)
        return counted

    def _finish(self, notification: Notification, delivery: Delivery, outcome: Outcome) -> None:
        self._drop(delivery)
        event = "SUCCESS" if outcome.success else "FAILED"
        self._note(notification, event, f"{delivery['event']}: {outcome.message}")
        if not outcome.success and notification["policy"]["saveOnFailure"]:
            self._keep_attempt(notification, delivery, outcome)
        if not notification["persistent"]:
            self._end(notification, "COMPLETE" if outcome.success else "FAILED")

    def _end(self, notification: Notification, status: str) -> None:
        self.unsubscribe(notification)
        self._drop_waiting(notification)
        now = self._clock.now()
        self._store.put(NOTIFICATION, notification["id"], {**notification, "status": status}, updated=now)

    def _keep_attempt(self, notification: Notification, delivery: Delivery, outcome: Outcome) -> None:
        now = self._clock.now()
        kept = {
            "id": delivery["id"],
            "url": notification["url"],
            "event": delivery["event"],
            "associatedUuid": delivery["subject"],
            "notificationId": notification["id"],
            "startTime": iso(delivery["begun"]),
            "endTime": iso(now),
            "response": {"code": outcome.code, "message": outcome.message},
        }
        self._store.put(ATTEMPT, _delivery_key(delivery), kept, updated=now)
        earlier = self._store.below(ATTEMPT, notification["id"])
        for key, _ in earlier[: max(0, len(earlier) - _MOST_KEPT)]:
            self._store.delete(ATTEMPT, key)

    def _drop(self, delivery: Delivery) -> None:
        self._store.delete(_DELIVERY, _delivery_key(delivery))

    def _drop_waiting(self, notification: Notification) -> None:
        for key, _ in self._store.below(_DELIVERY, notification["id"]):
            self._store.delete(_DELIVERY, key)

    def _note(self, notification: Notification, status: str, description: str) -> None:
        self._store.add_event(
            notification["id"], status, description, created=self._clock.now(), created_by=notification["owner"]
        )


def pause(policy: dict[str, Any], tries: int) -> int | None:
    """Return the seconds until the next try after so many have failed; None: there is none."""
    strategy = policy["retryStrategy"]
    if strategy == "NONE" or tries > policy["retryLimit"]:
        return None
    if strategy == "EXPONENTIAL":
        return _GROWING_S[min(tries, len(_GROWING_S)) - 1]
    if tries == 1:
        return int(policy["retryDelay"]) if strategy == "DELAYED" else 0
    return int(policy["retryRate"])


def _places(event: Event) -> tuple[str, str]:
    """Return where the subscriptions to an event are kept: to its subject, and to everything."""
    return event.subject.uuid, "*"


def _subscription_key(notification: Notification) -> str:
    return f"{notification['associatedUuid']}/{notification['id']}"


def _delivery_key(delivery: Delivery) -> str:
    return f"{delivery['notification']}/{delivery['id']}"
