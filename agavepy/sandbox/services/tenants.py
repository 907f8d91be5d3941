"""The list of tenants, open to everybody. No YAML declares it: its routes are here."""

from __future__ import annotations

import builtins
import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ..api import Call, NotFound, Reply
from ..store import new_uuid
from . import Service

_CODE_FORMAT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_GET = {"responses": {"200": {"description": "A list of tenants in result."}}}
_CODE = [{"name": "code", "in": "path", "required": True, "type": "string"}]


def _other_verbs(what: str) -> dict[str, Any]:
    # Declared without a method behind them: the front answers 501 then, as the real service does.
    return {verb: {"operationId": f"{verb}{what}", "responses": {}} for verb in ("post", "put", "delete", "patch")}


DOCUMENT: dict[str, Any] = {
    "paths": {
        "/tenants": {"get": {"operationId": "list", **_GET}, **_other_verbs("Tenants")},
        "/tenants/{code}": {"parameters": _CODE, "get": {"operationId": "get", **_GET}, **_other_verbs("Tenant")},
    }
}


@dataclasses.dataclass(frozen=True)
class Announced:
    """A tenant elsewhere that is listed here; ``id`` is what the service calls its code."""

    id: str
    name: str
    url: str


def announced(own_id: str, tenants: Iterable[Mapping[str, str]]) -> tuple[Announced, ...]:
    """Return further tenants, given as dicts with ``id``, ``name`` and ``url``.

    :raises ValueError: a key is missing or unknown, an id is not fit for an address or not the only one of its kind.
    """
    made = tuple(_announced(each) for each in tenants)
    ids = [own_id, *(each.id for each in made)]
    for each in ids:
        if not _CODE_FORMAT.fullmatch(each):
            raise ValueError(f"The tenant id {each!r} must be letters, digits or . _ -, the first not a sign.")
        if ids.count(each) > 1:
            raise ValueError(f"Two tenants have the id {each!r}; the sandbox's own is {own_id!r}.")
    return made


def _announced(facts: Mapping[str, str]) -> Announced:
    if sorted(facts) != ["id", "name", "url"]:
        raise ValueError(f"A tenant has 'id', 'name' and 'url'; got {', '.join(map(repr, facts)) or 'nothing'}.")
    return Announced(facts["id"], facts["name"], facts["url"].rstrip("/"))


class Tenants(Service):
    """This tenant and those it was told of, as the tenants service announces them."""

    name = "tenants"
    envelope_keys = ("status", "message", "result", "version")

    def list(self, call: Call) -> Reply:
        """All tenants that are live, in the order of their codes."""
        return Reply([self._record(each) for each in self._known(call)], message="")

    def get(self, call: Call, *, code: str) -> Reply:
        """A list with the one tenant of that code or uuid."""
        records = [self._record(each) for each in self._known(call)]
        found = [record for record in records if code in (record["code"], record["id"])]
        if not found:
            raise NotFound(f"No tenant found with id {code}")
        return Reply(found, message="")

    def _known(self, call: Call) -> builtins.list[Announced]:
        own = Announced(self.state.tenant_id, f"agavepy {self.state.tenant_id}", call.base_url)
        return sorted([own, *self.state.announced], key=lambda each: each.id)

    def _record(self, tenant: Announced) -> dict[str, Any]:
        return {
            "id": self._uuid(tenant.id),
            "name": tenant.name,
            "code": tenant.id,
            "baseUrl": f"{tenant.url}/",
            "contact": [
                {"name": "Administrator", "email": "admin@localhost", "url": "", "type": "admin", "primary": True},
            ],
            "_links": {"self": {"href": f"{tenant.url}/tenants/{tenant.id}"}},
        }

    def _uuid(self, code: str) -> str:
        """Return a tenant's uuid, which is kept."""
        kept = self.store.get("tenant-uuid", code)
        return str(kept["uuid"]) if kept else self._new_uuid(code)

    def _new_uuid(self, code: str) -> str:
        with self.store.transaction():
            kept = self.store.get("tenant-uuid", code)
            if kept is None:
                kept = {"uuid": new_uuid("016")}
                self.store.put("tenant-uuid", code, kept, updated=self.clock.now())
            return str(kept["uuid"])
