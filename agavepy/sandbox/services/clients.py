"""OAuth clients, by the user's own name and password."""

from __future__ import annotations

import builtins
import re
from typing import Any
from urllib.parse import quote

from .. import oauth_clients
from ..api import BadRequest, Call, Reply
from . import Service

EMPTY: dict[str, Any] = {}


class Clients(Service):
    """The clients service: everything it refuses, it refuses with status 400."""

    name = "clients"
    error_result: Any = EMPTY

    def list(self, call: Call) -> Reply:
        """Every client of the caller, DefaultApplication among them."""
        found = [_record(call, client) for client in self._clients.of(call.user)]
        return _reply(call, found, "Clients retrieved successfully.")

    def create(self, call: Call, *, body: Any) -> Reply:
        """Make a client; the only answer that shows its secret."""
        name = _required(body, "clientName")
        if "/" in name:
            raise BadRequest("clientName must not hold a slash")
        made = self._clients.create(
            call.user,
            name,
            description=_text(body, "description"),
            tier=_tier(body),
            callback_url=_text(body, "callbackUrl"),
        )
        record = _record(call, self._find(call, name)) | {"consumerSecret": made.secret}
        return _reply(call, record, "Client created successfully.")

    def getClientByName(self, call: Call, *, clientName: str) -> Reply:
        """One client, without its secret."""
        return _reply(call, _record(call, self._find(call, clientName)), "Client details retrieved successfully.")

    def delete(self, call: Call, *, clientName: str) -> Reply:
        """Forget a client; succeeds as well when there is none."""
        self._clients.delete(call.user, clientName)
        return Reply(result=None, message="Client removed successfully.")

    def listSubscriptionsForClient(self, call: Call, *, clientName: str) -> Reply:
        """The APIs tokens of the client may use."""
        client = self._find(call, clientName)
        apis = {api["name"]: api for api in self.state.accounts.apis.all()}
        found = [_subscription(call, client, apis[name]) for name in client["subscriptions"] if name in apis]
        return _reply(call, found, "Client subscriptions retrieved successfully.")

    def addSubscriptionForClient(self, call: Call, *, clientName: str, body: Any) -> Reply:
        """Subscribe to one API, or with ``*`` to all; to one subscribed already changes nothing."""
        wanted = _required(body, "apiName")
        _tier(body)
        self._clients.subscribe(call.user, clientName, self._apis(wanted))
        target = "Agave APIs" if wanted == "*" else wanted
        return Reply(result=None, message=f"Client {clientName} has been subscribed to {target}.")

    def deleteSubscriptionsForClient(self, call: Call, *, clientName: str, body: Any = None) -> Reply:
        """End one subscription, or all: with ``*``, or without a body, which the YAML declares none of."""
        wanted = _text(body or {}, "apiName") or "*"
        self._clients.unsubscribe(call.user, clientName, self._apis(wanted))
        target = "Agave APIs" if wanted == "*" else wanted
        return Reply(result=None, message=f"{target} has been removed from the client {clientName}.")

    @property
    def _clients(self) -> oauth_clients.Clients:
        return self.state.accounts.clients

    def _apis(self, wanted: str) -> builtins.list[str]:
        """Return the names of the APIs a name stands for; case does not matter."""
        known = [api["name"] for api in self.state.accounts.apis.all()]
        if wanted == "*":
            return known
        found = [name for name in known if name.lower() == wanted.lower()]
        if not found:
            raise BadRequest(f"No API is called {wanted}. APIs: {', '.join(known)}.")
        return found

    def _find(self, call: Call, name: str) -> dict[str, Any]:
        client = self._clients.find(call.user, name)
        if client is None:
            raise BadRequest("Application not found")
        return client


def _record(call: Call, client: dict[str, Any]) -> dict[str, Any]:
    own = _address(client)
    return {
        **{key: client[key] for key in ("name", "description", "tier", "callbackUrl", "consumerKey")},
        "_links": {
            "self": call.link(own),
            "subscriber": call.link(f"profiles/v2/{client['owner']}"),
            "subscriptions": call.link(f"{own}/subscriptions/"),
        },
    }


def _address(client: dict[str, Any]) -> str:
    return f"clients/v2/{quote(client['name'], safe='')}"


def _subscription(call: Call, client: dict[str, Any], api: dict[str, Any]) -> dict[str, Any]:
    own = _address(client)
    context = api["segment"] if api["url"] else f"{api['segment']}/v2"
    return {
        "apiName": api["name"],
        "apiVersion": api["version"],
        "apiProvider": api["owner"],
        "apiContext": f"/{context}",
        "apiStatus": api["status"],
        "tier": client["tier"],
        "businessOwner": None,
        "_links": {
            "self": call.link(f"{own}/subscriptions/"),
            "api": call.link(context),
            "client": call.link(own),
        },
    }


def _required(body: Any, name: str) -> str:
    value = _text(body, name)
    if not value:
        raise BadRequest(f"{name} is required")
    return value


def _text(body: Any, name: str) -> str:
    value = body.get(name) if isinstance(body, dict) else None
    if value is not None and not isinstance(value, str):
        raise BadRequest(f"{name} must be text")
    return (value or "").strip()


def _tier(body: Any) -> str:
    """Return the tier asked for in its usual spelling."""
    asked = _text(body, "tier").capitalize() or "Unlimited"
    if asked not in oauth_clients.TIERS:
        raise BadRequest(f"tier value must be one of: [{', '.join(oauth_clients.TIERS)}].")
    return asked


def _reply(call: Call, result: Any, message: str) -> Reply:
    """Return the reply with what this service alone understands: strict ``filter``, ``camelCase=false``."""
    _check_filter(call, result)
    snake_case = call.query.get("camelCase", "").lower() == "false"
    return Reply(_snake_cased(result) if snake_case else result, message=message)


def _check_filter(call: Call, result: Any) -> None:
    names = [name for name in call.query.get("filter", "").split(",") if name and name != "*"]
    known = result[0] if isinstance(result, list) and result else result
    unknown = [name for name in names if isinstance(known, dict) and name not in known]
    if unknown:
        raise BadRequest(f"Unknown field in filter: {', '.join(unknown)}")


def _snake_cased(value: Any) -> Any:
    if isinstance(value, list):
        return [_snake_cased(each) for each in value]
    if isinstance(value, dict):
        return {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).lower(): _snake_cased(each) for key, each in value.items()}
    return value
