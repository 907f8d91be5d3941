"""How metadata, schemas and their permissions look to the caller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from .. import pems
from ..api import Call
from ..clock import iso
from ..events import Subject
from ..resources_by_uuid import kind_of

Item = dict[str, Any]
Resolve = Callable[[str], Subject | None]  # from a uuid to the resource

_RIGHTS = ("read", "write")


def metadata(item: Item, call: Call, resolve: Resolve) -> Item:
    """Return an item of metadata; resources that the caller may not read have no link."""
    return {
        **{name: item[name] for name in ("uuid", "schemaId", "internalUsername", "associationIds")},
        "lastUpdated": iso(item["lastUpdated"]),
        **{name: item[name] for name in ("name", "value")},
        "created": iso(item["created"]),
        "owner": item["owner"],
        "_links": {**_links(f"meta/v2/data/{item['uuid']}", item, call), **_related(item, call, resolve)},
    }


def schema(item: Item, call: Call) -> Item:
    """Return a schema."""
    return {
        **{name: item[name] for name in ("uuid", "owner", "internalUsername")},
        "created": iso(item["created"]),
        "lastUpdated": iso(item["lastUpdated"]),
        "schema": item["schema"],
        "_links": _links(f"meta/v2/schemas/{item['uuid']}", item, call),
    }


def _links(address: str, item: Item, call: Call) -> dict[str, Any]:
    return {
        "self": call.link(address),
        "permissions": call.link(f"{address}/pems"),
        "owner": call.link(f"profiles/v2/{_quoted(item['owner'])}"),
    }


def _related(item: Item, call: Call, resolve: Resolve) -> dict[str, Any]:
    found = (resolve(uuid) for uuid in item["associationIds"])
    links = [
        {"rel": each.uuid, **call.link(each.address), "title": kind_of(each.uuid)}
        for each in found
        if each and each.allows(call.user)
    ]
    of_schema = {"SCHEMA": call.link(f"meta/v2/schemas/{item['schemaId']}")} if item["schemaId"] else {}
    return {"associationIds": links, **of_schema}


def permission(address: str, username: str, word: str, call: Call) -> Item:
    """Return what a user may do with the item at an address."""
    return {
        "username": username,
        "internalUsername": None,
        "permission": pems.acl(word, rights=_RIGHTS),
        "_links": {
            "self": call.link(f"{address}/pems/{_quoted(username)}"),
            "parent": call.link(address),
            "profile": call.link(f"profiles/v2/{_quoted(username)}"),
        },
    }


def _quoted(segment: str) -> str:
    return quote(segment, safe="")
