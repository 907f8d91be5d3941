"""How notifications, their failed deliveries and their histories look to the caller."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from ..api import Call
from ..events import Subject
from ..resources_by_uuid import kind_of

Notification = dict[str, Any]

_SUMMARY = ("id", "url", "associatedUuid", "event")
_SHOWN = (
    "id", "owner", "url", "associatedUuid", "event", "responseCode", "attempts", "lastSent", "success", "persistent",
    "status", "lastUpdated", "created", "policy",
)  # fmt: skip


def summary(notification: Notification, subject: Subject | None, call: Call) -> Notification:
    return {
        **{name: notification[name] for name in _SUMMARY},
        "_links": {
            "self": call.link(_address(notification)),
            "profile": _profile(notification["owner"], call),
            **_resource(notification, subject, call),
        },
    }


def full(notification: Notification, subject: Subject | None, call: Call) -> Notification:
    return {
        **{name: notification[name] for name in _SHOWN},
        "_links": {
            "self": call.link(_address(notification)),
            "attempts": call.link(f"{_address(notification)}/attempts"),
            "history": call.link(f"{_address(notification)}/history"),
            "owner": _profile(notification["owner"], call),
            **_resource(notification, subject, call),
        },
    }


def embedded(notification: Notification) -> Notification:
    """Return a notification as the answer shows it that came to the request it was part of."""
    return {name: notification[name] for name in ("id", "url", "event", "persistent", "policy")}


def attempt(kept: dict[str, Any], owner: str, call: Call) -> dict[str, Any]:
    address = f"notifications/v2/{kept['notificationId']}"
    return {
        **kept,
        "_links": {
            "self": call.link(f"{address}/attempts/{kept['id']}"),
            "notification": call.link(address),
            "profile": _profile(owner, call),
        },
    }


def _address(notification: Notification) -> str:
    return f"notifications/v2/{notification['id']}"


def _profile(user: str, call: Call) -> dict[str, str]:
    return call.link(f"profiles/v2/{quote(user, safe='')}")


def _resource(notification: Notification, subject: Subject | None, call: Call) -> dict[str, Any]:
    """Return the link to what it is about, under its type; none for ``*`` and for what is gone."""
    return {kind_of(notification["associatedUuid"]): call.link(subject.address)} if subject else {}
