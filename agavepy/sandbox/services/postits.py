"""Postits: addresses that anybody may call, so many times and for so long, in their creator's name.

A call of such an address is no operation of the YAML: its route is here, and the front carries it out.
"""

from __future__ import annotations

import builtins
import dataclasses
import datetime
import secrets
import urllib.parse
from typing import Any

from .. import imports
from ..api import BadRequest, Call, Forbidden, NotFound, Unsupported
from ..fields import Fields, shown
from . import Service

REDEEM = "postits.redeem"
_KEY = [{"name": "key", "in": "path", "required": True, "type": "string"}]
_OPEN = {"operationId": "redeem", "security": [], "responses": {"200": {"description": "What the address answers."}}}
DOCUMENT: dict[str, Any] = {
    "paths": {"/postits/v2/{key}": {"parameters": _KEY, **dict.fromkeys(("get", "post", "put", "delete"), _OPEN)}}
}

_KIND = "postit"
_METHODS = ("GET", "PUT", "POST", "DELETE")
_LIFETIME_S = 30 * 24 * 3600
_UNLIMITED = -1
_KEPT_QUOTED = "!#$%&'()*+,/:;=?@[]~"  # in an address that may be quoted already


@dataclasses.dataclass(frozen=True)
class Errand:
    """The request that a postit stands for; ``user`` empty: it is made without a token."""

    user: str
    method: str
    path: str  # as it is sent, "/files/v2/…"
    query: str


class Postits(Service):
    """The operations of resources/postits.yaml; :meth:`redeem` is for the front."""

    name = "postits"

    def list(self, call: Call) -> builtins.list[dict[str, Any]]:
        """Those of the caller that can still be used, the latest first."""
        mine = (each for each in self.store.all(_KIND) if each["creator"] == call.user)
        return [_record(each, call) for each in mine if not self._is_over(each)]

    def create(self, call: Call, *, body: Any) -> dict[str, Any]:
        fields = Fields(body, within="postit")
        now = self.clock.now()
        postit: dict[str, Any] = {
            "key": secrets.token_hex(16),
            "creator": call.user,
            "target": _target(fields.text("url", longest=8192), call.base_url),
            "method": _method(fields),
            "internalUsername": fields.free_text("internalUsername"),
            "noauth": fields.flag("noauth", default=False),
            "remainingUses": _uses(fields),
            "created": now,
            "expires": now + fields.whole("lifetime", default=_LIFETIME_S, digits=True),
        }
        self.store.put(_KIND, postit["key"], postit, updated=now)
        return _record(postit, call)

    def delete(self, call: Call, *, uuid: str) -> None:
        """Revoke a postit; its key is unknown from now on."""
        with self.store.transaction():
            postit = self._find(uuid)
            if postit["creator"] != call.user and not call.admin:
                raise Forbidden("Permission denied. Only the creator of a postit may revoke it.")
            self.store.delete(_KIND, uuid)

    def redeem(self, key: str) -> Errand:
        """
        Return what the postit stands for, and take one of its uses.

        :raises NotFound: there is none of that key, or its creator has gone.
        :raises Forbidden: it has expired, or no use is left.
        """
        with self.store.transaction():
            postit = self._find(key)
            if self._is_over(postit):
                raise Forbidden("Postit key has already been redeemed or has expired.")
            if postit["remainingUses"] != _UNLIMITED:
                left = {**postit, "remainingUses": postit["remainingUses"] - 1}
                self.store.put(_KIND, key, left, updated=postit["created"])
        path, _, query = postit["target"].partition("?")
        return Errand("" if postit["noauth"] else postit["creator"], postit["method"], path, query)

    def _find(self, key: str) -> dict[str, Any]:
        postit = self.store.get(_KIND, key)
        if postit is None or not self.state.accounts.exists(postit["creator"]):
            raise NotFound("Unknown postit key.")
        return postit

    def _is_over(self, postit: dict[str, Any]) -> bool:
        return bool(postit["remainingUses"] == 0 or self.clock.now() >= postit["expires"])


def _target(url: str, base_url: str) -> str:
    """Return path and query of an address of this tenant, quoted; :raises BadRequest: it is somebody else's."""
    if not imports.is_own(url, base_url):
        raise BadRequest(f"Invalid 'postit.url' value. It begins with {base_url}/; got {shown(url)}.")
    parts = urllib.parse.urlsplit(url)
    whole = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    return urllib.parse.quote(whole, safe=_KEPT_QUOTED)


def _method(fields: Fields) -> str:
    method = (fields.free_text("method") or "GET").upper()
    if method not in _METHODS:
        raise Unsupported(f"A postit's method is one of {', '.join(_METHODS)}; got {shown(method)}.")
    return method


def _uses(fields: Fields) -> int:
    if fields.get("maxUses") in (_UNLIMITED, str(_UNLIMITED)):
        return _UNLIMITED
    return fields.whole("maxUses", default=1, digits=True)


def _record(postit: dict[str, Any], call: Call) -> dict[str, Any]:
    url = f"{call.base_url}{postit['target']}"
    service = postit["target"].split("/")[1].partition("?")[0]
    return {
        "creator": postit["creator"],
        "internalUsername": postit["internalUsername"],
        "authenticated": not postit["noauth"],
        "created": _time(postit["created"]),
        "expires": _time(postit["expires"]),
        "remainingUses": "unlimited" if postit["remainingUses"] == _UNLIMITED else postit["remainingUses"],
        "postit": postit["key"],
        "noauth": postit["noauth"],
        "url": url,
        "method": postit["method"],
        "_links": {
            "self": call.link(f"postits/v2/{postit['key']}"),
            "profile": call.link(f"profiles/v2/{urllib.parse.quote(postit['creator'], safe='')}"),
            service.removesuffix("s") or "target": {"href": url},
        },
    }


def _time(seconds: float) -> str:
    """Return ISO 8601 without a fraction, which this service alone leaves out."""
    return datetime.datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")
