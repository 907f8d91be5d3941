"""How systems and roles look to the caller, and what a list of systems is searched by."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from .. import links
from ..api import Call

System = dict[str, Any]

_COMMON_SEARCH = (
    "id", "name", "owner", "site", "status", "type", "public", "default", "globalDefault", "available", "created",
    "lastModified", "description", "uuid", "workDir", "scratchDir", "maxSystemJobs", "maxSystemJobsPerUser",
    "startupScript", "environment", "scheduler", "executionType",
)  # fmt: skip
_STORAGE_SEARCH = ("zone", "resource", "container", "host", "port", "homeDir", "rootDir", "protocol")
_QUEUE_SEARCH = (
    "name", "default", "maxJobs", "maxUserJobs", "maxNodes", "maxProcessorsPerNode", "maxMemoryPerNode",
    "maxRequestedTime",
)  # fmt: skip
SEARCH = {
    **{name.lower(): name for name in _COMMON_SEARCH},
    **{f"storage.{name.lower()}": f"storage.{name}" for name in _STORAGE_SEARCH},
    **{f"login.{name}": f"login.{name}" for name in ("host", "port", "protocol")},
    **{f"queues.{name.lower()}": f"queues.{name}" for name in _QUEUE_SEARCH},
    "lastupdated": "lastModified",
    "storage.bucket": "storage.container",
}


def summary(system: System, call: Call) -> dict[str, Any]:
    """Return the system as lists show it."""
    names = ("id", "name", "type", "description", "status", "public", "lastModified", "default")
    shown = {("lastUpdated" if name == "lastModified" else name): system[name] for name in names}
    if len(shown["description"] or "") > 255:
        shown["description"] = shown["description"][:255] + "..."
    return {**shown, "_links": {"self": call.link(f"systems/v2/{system['id']}")}}


def full(system: System, call: Call) -> dict[str, Any]:
    """Return all that the caller may read of the system."""
    shown = {**system, "_links": _links(system, call)}
    for hidden in ("deleted", "created"):
        shown.pop(hidden, None)
    return shown


def _links(system: System, call: Call) -> dict[str, Any]:
    address = f"systems/v2/{system['id']}"
    found = {
        "self": call.link(address),
        "roles": call.link(f"{address}/roles"),
        "credentials": call.link(f"{address}/credentials"),
        "metadata": links.metadata(call, system["uuid"]),
    }
    if not system["public"]:
        found["owner"] = call.link(f"profiles/v2/{quote(system['owner'], safe='')}")
    if system["type"] == "EXECUTION":
        found["history"] = call.link(f"{address}/history")
    return found


def role_entry(system: System, role: dict[str, Any], call: Call) -> dict[str, Any]:
    """Return a username and role with its links."""
    address, username = f"systems/v2/{system['id']}", quote(role["username"], safe="")
    return {
        **role,
        "_links": {
            "self": call.link(f"{address}/roles/{username}"),
            "parent": call.link(address),
            "profile": call.link(f"profiles/v2/{username}"),
        },
    }
