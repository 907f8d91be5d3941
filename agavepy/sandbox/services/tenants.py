"""The list of tenants, open to everybody. No YAML declares it: its routes are here."""

from __future__ import annotations

from typing import Any

from ..api import Call, NotFound, Reply
from ..store import new_uuid
from . import Service

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


class Tenants(Service):
    """The one tenant there is, as the tenants service announces it."""

    name = "tenants"
    envelope_keys = ("status", "message", "result", "version")

    def list(self, call: Call) -> Reply:
        """All tenants that are live."""
        return Reply([self._record(call)], message="")

    def get(self, call: Call, *, code: str) -> Reply:
        """A list with the one tenant of that code or uuid."""
        record = self._record(call)
        if code not in (record["code"], record["id"]):
            raise NotFound(f"No tenant found with id {code}")
        return Reply([record], message="")

    def _record(self, call: Call) -> dict[str, Any]:
        code = self.state.tenant_id
        return {
            "id": self._uuid(),
            "name": f"agavepy {code}",
            "code": code,
            "baseUrl": f"{call.base_url}/",
            "contact": [
                {"name": "Administrator", "email": "admin@localhost", "url": "", "type": "admin", "primary": True},
            ],
            "_links": {"self": call.link(f"tenants/{code}")},
        }

    def _uuid(self) -> str:
        """Return the tenant's uuid, which is kept."""
        with self.store.transaction():
            kept = self.store.get("tenant", self.state.tenant_id)
            if kept is None:
                kept = {"uuid": new_uuid("016")}
                self.store.put("tenant", self.state.tenant_id, kept, updated=self.clock.now())
            return str(kept["uuid"])
