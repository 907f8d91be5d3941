"""The APIs behind the gateway: those of the tenant's own services, and those that administrators add."""

from __future__ import annotations

import re
import urllib.parse
from typing import Any

from .. import specs
from .api import BadRequest, NotFound
from .clock import Clock
from .fields import Fields
from .oauth_clients import API_SEGMENTS
from .remembered import Remembered
from .store import Store

Api = dict[str, Any]

CALLABLE = ("PUBLISHED", "PROTOTYPED", "DEPRECATED")
STATUSES = ("CREATED", *CALLABLE, "RETIRED", "BLOCKED")  # of the gateway's life cycle
METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS")

_KIND = "api"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_CONTEXT = re.compile(r"/?([a-z0-9][a-z0-9_-]{0,63})/?")
_AUTH = ("oauth2", "none")
_VISIBILITIES = ("public", "restricted")
_OTHERS = ("tenants", "token", "revoke", "authorize", "oauth2", "docs", "uuids", "tags", "transfers", "usage")


class Apis:
    """All APIs, by id or by the first segment of their path."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._by_segment = Remembered(store, (_KIND,), self._read_segment)

    def all(self) -> list[Api]:
        """Return every API, in the order of their names."""
        kept = {each["id"]: each for each in self._store.all(_KIND)}
        built_in = {each["id"]: each for each in map(_built_in, API_SEGMENTS)}
        return sorted((built_in | kept).values(), key=lambda each: str(each["name"]).lower())

    def find(self, api_id: str) -> Api:
        """Return an API; :raises NotFound: there is none of that id."""
        found = next((each for each in self.all() if each["id"] == api_id), None)
        if found is None:
            raise NotFound(f"No API found matching {api_id}")
        return found

    def by_name(self, name: str) -> Api | None:
        """Return the API of a name, whose case does not matter."""
        return next((each for each in self.all() if each["name"].lower() == name.lower()), None)

    def of_segment(self, segment: str) -> Api | None:
        """Return the API whose path begins with a segment; None: what is there needs no subscription."""
        found = self._by_segment.get(segment)
        return found[0] if found else None

    def add(self, described: Api, *, owner: str) -> Api:
        """Keep a new API, published at once; :raises BadRequest: name or context are another's."""
        api = {"id": f"{described['name']}-v2", "version": "v2", "owner": owner, "status": "PUBLISHED", **described}
        with self._store.transaction():
            for other in self.all():
                if other["name"].lower() == api["name"].lower() or other["segment"] == api["segment"]:
                    raise BadRequest(
                        f"The API {other['name']} has the name {api['name']} or the context of it already."
                    )
            self._keep(api)
        return api

    def set_status(self, api_id: str, status: str) -> Api:
        """Change an API's status; return it."""
        with self._store.transaction():
            api = {**self.find(api_id), "status": status}
            self._keep(api)
        return api

    def delete(self, api_id: str) -> Api:
        """Forget an API that was added; return it. :raises BadRequest: it is one of the tenant's own."""
        with self._store.transaction():
            api = self.find(api_id)
            if api["url"] is None:
                raise BadRequest(f"The API {api['name']} is built in; set its status to BLOCKED or RETIRED instead.")
            self._store.delete(_KIND, api_id)
        return api

    def _keep(self, api: Api) -> None:
        self._store.put(_KIND, api["id"], api, updated=self._clock.now())

    def _read_segment(self, segment: str) -> tuple[Api, ...]:
        return tuple(each for each in self.all() if each["segment"] == segment)


def read(fields: Fields) -> Api:
    """Return the API that a request describes; :raises BadRequest: a field breaks its rule."""
    name, context = fields.text("api_name"), fields.text("context")
    if not _NAME.fullmatch(name):
        raise fields.refusal("api_name", f"It has at most 64 letters, digits, _ and -; got {name!r:.80}.")
    visibility = _one_of(fields, "visibility", _VISIBILITIES)
    roles = fields.texts("roles")
    if (visibility == "restricted") != bool(roles):
        raise fields.refusal("roles", "An API whose visibility is restricted names them, and no other does.")
    return {
        "name": name,
        "segment": _segment(fields, context),
        "url": _address(fields),
        "methods": _several_of(fields, "methods", METHODS, default=METHODS[:4]),
        "auth": _several_of(fields, "auth", _AUTH, default=_AUTH[:1]),
        "visibility": visibility,
        "roles": roles,
    }


def _built_in(segment: str) -> Api:
    return {
        "id": f"{segment.capitalize()}-v2",
        "name": segment.capitalize(),
        "version": "v2",
        "owner": "admin",
        "status": "PUBLISHED",
        "segment": segment,
        "url": None,  # served by the tenant itself
        "methods": [],
        "auth": ["oauth2"],
        "visibility": "public",
        "roles": [],
    }


def _segment(fields: Fields, context: str) -> str:
    match = _CONTEXT.fullmatch(context)
    if match is None:
        raise fields.refusal("context", f"It is one part of a path, such as /widgets; got {context!r:.80}.")
    if match[1] in (*specs.load(), *_OTHERS):
        raise fields.refusal("context", f"/{match[1]} is the tenant's own.")
    return match[1]


def _address(fields: Fields) -> str:
    url = fields.text("url", longest=2048).rstrip("/")
    try:
        parts = urllib.parse.urlsplit(url)
        is_usable = parts.scheme in ("http", "https") and parts.hostname and not parts.query and not parts.fragment
    except ValueError:
        is_usable = False
    if not is_usable or "@" in parts.netloc:
        raise fields.refusal("url", "It is the http or https address of a service, without password and query.")
    return url


def _one_of(fields: Fields, name: str, choices: tuple[str, ...]) -> str:
    word = (fields.free_text(name) or choices[0]).lower()
    if word not in choices:
        raise fields.refusal(name, f"It is one of {', '.join(choices)}; got {word!r:.80}.")
    return word


def _several_of(fields: Fields, name: str, choices: tuple[str, ...], *, default: tuple[str, ...]) -> list[str]:
    known = {choice.lower(): choice for choice in choices}
    words = fields.texts(name) or list(default)
    unknown = [word for word in words if word.lower() not in known]
    if unknown:
        raise fields.refusal(name, f"Each is one of {', '.join(choices)}; got {unknown[0]!r:.80}.")
    return [known[word.lower()] for word in words]
