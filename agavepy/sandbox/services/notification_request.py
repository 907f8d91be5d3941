"""What a request says about a notification: read strictly, gaps filled in."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import Any

from .. import targets
from ..api import BadRequest
from ..fields import Fields, shown

Settings = dict[str, Any]

STRATEGIES = ("NONE", "IMMEDIATE", "DELAYED", "EXPONENTIAL")
MOST_EMBEDDED = 100  # notifications in one request
_OWN = ("url", "event", "persistent", "policy")
_POLICY: Settings = {
    "retryStrategy": "IMMEDIATE",
    "retryLimit": 5,
    "retryRate": 5,
    "retryDelay": 0,
    "saveOnFailure": False,
}
_MOST = {"retryLimit": 1440, "retryRate": 86400, "retryDelay": 86400}


def read(body: Any, *, known: Settings | None = None) -> Settings:
    """
    Return associatedUuid, url, event, persistent and policy of a request.

    :param known: the settings to change; what the request leaves out stays as it is.
    :raises BadRequest: an unknown property, a missing one, or one that breaks its rule.
    """
    given = _nested(body)
    fields = Fields({**(known or {}), **given}, within="notification")
    _refuse_unknown(given, ("associatedUuid", *_OWN))
    return {"associatedUuid": fields.text("associatedUuid").strip(), **_settings(fields)}


def embedded(given: Any, *, callback_url: Any = None) -> list[Settings]:
    """
    Return the settings of notifications that come with the resource they are about.

    :param given: the request's ``notifications``: an array; absent and empty are none.
    :param callback_url: one address to tell of every event.
    """
    if given in (None, "", []) and callback_url in (None, ""):
        return []
    entries = Fields({"notifications": given or []}, within="request").objects("notifications")
    if len(entries) > MOST_EMBEDDED:
        raise BadRequest(f"A request takes {MOST_EMBEDDED} notifications at most; got {len(entries)}.")
    for number, _ in enumerate(entries):
        _refuse_unknown(given[number], _OWN)
    found = [_settings(entry) for entry in entries]
    return [*found, *([to_callback(callback_url, "*", persistent=True)] if callback_url else [])]


def to_callback(url: Any, event: str, *, persistent: bool) -> Settings:
    """Return the settings of a notification to an address that came alone."""
    return _settings(Fields({"url": url, "event": event, "persistent": persistent}, within="notification"))


def _settings(fields: Fields) -> Settings:
    url = fields.text("url", longest=4096).strip()
    targets.check(url)
    return {
        "url": url,
        "event": fields.text("event", longest=64).strip(),
        "persistent": fields.flag("persistent", default=False),
        "policy": _policy(fields.object("policy")),
    }


def _policy(fields: Fields) -> Settings:
    strategy = fields.get("retryStrategy")
    numbers = {name: fields.whole(name, default=_POLICY[name], least=0, digits=True) for name in _MOST}
    for name, most in _MOST.items():
        if numbers[name] > most:
            raise fields.refusal(name, f"It is at most {most}; got {numbers[name]}.")
    return {
        "retryStrategy": fields.choice("retryStrategy", STRATEGIES) if strategy else _POLICY["retryStrategy"],
        **numbers,
        "saveOnFailure": fields.flag("saveOnFailure", default=False),
    }


def _nested(body: Any) -> Settings:
    """Return the request with its policy as an object; a form writes it as ``policy.retryLimit``."""
    if not isinstance(body, Mapping):
        raise BadRequest(f"Invalid JSON found. A notification is a JSON object; got {shown(body)}.")
    dotted = {name.partition(".")[2]: value for name, value in body.items() if name.startswith("policy.")}
    plain = {name: value for name, value in body.items() if not name.startswith("policy.")}
    return {**plain, "policy": {**(plain.get("policy") or {}), **dotted}} if dotted else plain


def _refuse_unknown(given: Mapping[str, Any], known: Collection[str]) -> None:
    _refuse_others(given, known)
    if isinstance(given.get("policy"), Mapping):
        _refuse_others(given["policy"], tuple(_POLICY))


def _refuse_others(given: Mapping[str, Any], known: Collection[str]) -> None:
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
            hint = f"Did you mean '{near[0]}'?" if near else f"There are {', '.join(known)}."
            raise BadRequest(f"Unknown property {shown(name)}. {hint}")
