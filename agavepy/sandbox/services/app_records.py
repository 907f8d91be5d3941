"""How apps are shown: whole, in brief, their permissions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from .. import links, pems
from ..api import Call, Listing

App = dict[str, Any]

_ORDER = (
    "id", "name", "icon", "uuid", "parallelism", "defaultProcessorsPerNode", "defaultMemoryPerNode", "defaultNodeCount",
    "defaultMaxRunTime", "defaultQueue", "version", "revision", "isPublic", "helpURI", "label", "owner",
    "shortDescription", "longDescription", "tags", "ontology", "executionType", "executionSystem", "deploymentPath",
    "deploymentSystem", "templatePath", "testPath", "checkpointable", "lastModified", "modules", "available", "inputs",
    "parameters", "outputs",
)  # fmt: skip
_SUMMARY = (
    "id", "name", "version", "revision", "executionSystem", "shortDescription", "isPublic", "label", "lastModified",
)  # fmt: skip
SEARCH = {
    **{name.lower(): name for name in (*_ORDER, "created") if name not in ("inputs", "parameters", "outputs")},
    **{f"{kind}.id": f"{kind}.id" for kind in ("inputs", "parameters", "outputs")},
    "parameters.type": "parameters.value.type",
    "public": "isPublic",
    "lastupdated": "lastModified",
}


def listing(apps: Iterable[App], call: Call) -> Listing:
    """Return the listing of apps, with the fields it can be searched by."""
    return Listing(apps, lambda app: summary(app, call), lambda app: full(app, call), SEARCH)


def summary(app: App, call: Call) -> App:
    return {**{name: app[name] for name in _SUMMARY}, "_links": {"self": call.link(address(app))}}


def address(app: App) -> str:
    """Return where the app is found below the tenant's address."""
    return f"apps/v2/{_quoted(app['id'])}"


def full(app: App, call: Call) -> App:
    own = address(app)
    return {
        **{name: app[name] for name in _ORDER},
        "_links": {
            "self": call.link(own),
            "executionSystem": call.link(f"systems/v2/{app['executionSystem']}"),
            "storageSystem": call.link(f"systems/v2/{app['deploymentSystem']}"),
            "history": call.link(f"{own}/history"),
            "metadata": links.metadata(call, app["uuid"]),
            "owner": call.link(f"profiles/v2/{_quoted(app['owner'])}"),
            "permissions": call.link(f"{own}/pems"),
        },
    }


def permission(app: App, username: str, word: str, call: Call) -> App:
    own = address(app)
    return {
        "username": username,
        "permission": pems.acl(word),
        "_links": {
            "self": call.link(f"{own}/pems/{_quoted(username)}"),
            "app": call.link(own),
            "profile": call.link(f"profiles/v2/{_quoted(username)}"),
        },
    }


def _quoted(segment: str) -> str:
    return quote(segment, safe="")
