"""Metadata: JSON documents tied to other resources, searched with MongoDB's queries; schemas they may keep to."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from .. import json_schemas, mongo
from ..api import ApiError, BadRequest, Call, Forbidden, NotFound, Page, Reply
from ..events import Subject
from ..fields import Fields, shown
from ..items import ORDERS, Wanted
from ..resources_by_uuid import known
from ..search import DEFAULT_LIMIT
from ..store import new_uuid
from . import Service, meta_records
from .meta_access import Shared
from .notification_request import embedded

if TYPE_CHECKING:
    from ..state import State
    from .notifications import Notifications

Item = dict[str, Any]

LONGEST_NAME = 256
_MOST_FAILURES_SHOWN = 10  # of a bulk request
_MOST_MEANT = 1_000_000  # items by one filter


class Meta(Service):
    """The operations of resources/meta.yaml."""

    name = "meta"

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self._data = Shared(
            state, "metadata", noun="metadata item", folder="data", show=lambda item, call: self._shower(call)(item)
        )
        self._schemas = Shared(state, "schema", noun="metadata schema", folder="schemas", show=meta_records.schema)

    @property
    def _notifications(self) -> Notifications:
        return cast("Notifications", self.state.services["notifications"])

    def subject(self, uuid: str) -> Subject | None:
        return (self._schemas if uuid.endswith("-013") else self._data).subject(uuid)

    # Metadata

    def listMetadata(
        self, call: Call, *, limit: int = DEFAULT_LIMIT, offset: int = 0, q: str = "", privileged: bool = True
    ) -> Page:
        query = mongo.read(q)
        wanted = _wanted(call, query, limit, offset, reader=None if call.admin and privileged else call.user)
        show = self._shower(call)
        return Page([show(item) for item in self._data.items.page(wanted)])

    def getMetadata(self, call: Call, *, uuid: str) -> Item:
        return self._shower(call)(self._data.find(uuid, call.user))

    def addMetadata(self, call: Call, *, body: Any) -> Item:
        return self._shower(call)(self._create(call, body))

    def updateMetadata(self, call: Call, *, uuid: str, body: Any) -> Item:
        return self._shower(call)(self._update(call, uuid, body))

    def deleteMetadata(self, call: Call, *, uuid: str) -> None:
        self._data.forget(call, uuid)

    def _shower(self, call: Call) -> Callable[[Item], Item]:
        """Return what shows items to the caller; each associated resource is looked up once."""
        resolve = functools.cache(lambda uuid: known(self.state, uuid))
        return lambda item: meta_records.metadata(item, call, resolve)

    def _create(self, call: Call, body: Any) -> Item:
        now = round(self.clock.now(), 3)
        fixed = {"uuid": new_uuid("012"), "owner": call.user, "internalUsername": None, "created": now}
        item = {"schemaId": None, "associationIds": [], **self._given(call, body, {}), **fixed, "lastUpdated": now}
        for name in ("name", "value"):
            if name not in item:
                raise BadRequest(f"Invalid 'metadata.{name}' value. Please provide one.")
        self._require_valid(item, call.user)
        grants = [self._data.requested(each) for each in _list_of(body, "permissions")]
        settings = embedded(body.get("notifications"))
        with self.store.transaction():
            self._data.items.put(item)
            self._notifications.attach(item["uuid"], settings, owner=call.user)
            self._data.note(item, "CREATED", call.user)
            for username, word in grants:
                self._data.grant(item, username, word, by=call.user)
        return item

    def _update(self, call: Call, uuid: str, body: Any) -> Item:
        before = self._data.find(uuid, call.user, right="write")
        given = self._given(call, body, before)
        if given.keys() & {"schemaId", "value"}:
            self._require_valid({**before, **given}, call.user)
        settings = embedded(body.get("notifications"))
        with self.store.transaction():
            before = self._data.find(uuid, call.user, right="write")
            item = {**before, **given, "lastUpdated": round(self.clock.now(), 3)}
            self._data.items.put(item)
            self._notifications.attach(uuid, settings, owner=call.user)
            self._data.note(item, "UPDATED", call.user)
        return item

    def _given(self, call: Call, body: Any, before: Item) -> Item:
        """Return what a request says about an item, checked; what it leaves out is left out."""
        fields = Fields(body, within="metadata")
        if fields.get("uuid") not in (None, before.get("uuid")):
            raise BadRequest(f"The uuid in the body, {fields.get('uuid')!r:.80}, is not that of the item.")
        given: Item = {}
        if "name" in body:
            given["name"] = fields.text("name", longest=LONGEST_NAME)
        if body.get("value") is not None:
            given["value"] = body["value"]
        if "schemaId" in body:
            given["schemaId"] = fields.free_text("schemaId") or None
        if "associationIds" in body:
            given["associationIds"] = self._associations(call, fields, before.get("associationIds", []))
        return given

    def _associations(self, call: Call, fields: Fields, before: list[str]) -> list[str]:
        """Return the ids, once each; those that are new must be of resources the caller may read."""
        value = fields.get("associationIds")
        ids = list(dict.fromkeys([value] if isinstance(value, str) and value else fields.texts("associationIds")))
        for uuid in ids:
            resource = known(self.state, uuid)
            if uuid not in before and resource is None:
                raise BadRequest(f"No associated object found with uuid {uuid}")
            if uuid not in before and resource and not resource.allows(call.user):
                raise Forbidden(f"Permission denied. User does not have permission to read the resource {uuid}")
        return ids

    def _require_valid(self, item: Item, user: str) -> None:
        if item["schemaId"] is None:
            return
        try:
            schema = self._schemas.find(item["schemaId"], user)
        except NotFound:
            raise BadRequest(
                f"No schema found matching the schemaId {item['schemaId']}; null stands for none."
            ) from None
        json_schemas.require_valid(item["value"], schema["schema"])

    # Many items at once

    def bulkCreate(self, call: Call, *, body: Any) -> str:
        return _outcome("created", body, lambda given: self._created_one(call, given))

    def bulkUpdate(self, call: Call, *, body: Any) -> str:
        return _outcome("updated", body, lambda given: self._updated_ones(call, given))

    def bulkDelete(self, call: Call, *, body: Any) -> str:
        return _outcome("deleted", body, lambda given: self._deleted_ones(call, given))

    def _created_one(self, call: Call, given: Item) -> int:
        self._create(call, given)
        return 1

    def _updated_ones(self, call: Call, given: Item) -> int:
        changes = given.get("update", {key: value for key, value in given.items() if key not in ("uuid", "filter")})
        changes = changes.get("$set", changes) if isinstance(changes, dict) else changes
        found = self._meant(call, given)
        for uuid in found:
            self._update(call, uuid, changes)
        return len(found)

    def _deleted_ones(self, call: Call, given: Item) -> int:
        found = self._meant(call, given)
        for uuid in found:
            self._data.forget(call, uuid)
        return len(found)

    def _meant(self, call: Call, given: Item) -> list[str]:
        """Return the uuids an element means: by ``uuid``, or by a query in ``filter``, among what the caller reads."""
        if isinstance(given.get("uuid"), str):
            return [given["uuid"]]
        if not given.get("filter"):
            raise BadRequest("It needs the uuid of an item, or a query in filter.")
        wanted = Wanted(mongo.from_value(given["filter"]), call.user, limit=_MOST_MEANT, offset=0)
        found = [item["uuid"] for item in self._data.items.page(wanted)]
        for uuid in found:
            self._data.find(uuid, call.user, right="write")  # all of them, or none is touched
        return found

    # Schemas

    def searchSchema(
        self, call: Call, *, limit: int = DEFAULT_LIMIT, offset: int = 0, uuid: str = "", q: str = ""
    ) -> Page:
        query = mongo.read(q)
        if uuid:
            query = mongo.All((mongo.Field("uuid", mongo.Equals((uuid,))), query))
        wanted = _wanted(call, query, limit, offset, reader=None if call.admin else call.user)
        return Page([meta_records.schema(item, call) for item in self._schemas.items.page(wanted)])

    def getSchema(self, call: Call, *, uuid: str) -> Item:
        return meta_records.schema(self._schemas.find(uuid, call.user), call)

    def addSchema(self, call: Call, *, body: Any) -> Item:
        now = round(self.clock.now(), 3)
        fixed = {"uuid": new_uuid("013"), "owner": call.user, "internalUsername": None}
        item: Item = {**fixed, "created": now, "lastUpdated": now, "schema": json_schemas.check(body)}
        with self.store.transaction():
            self._schemas.items.put(item)
            self._schemas.note(item, "CREATED", call.user)
        return meta_records.schema(item, call)

    def updateSchema(self, call: Call, *, uuid: str, body: Any) -> Item:
        self._schemas.find(uuid, call.user, right="write")
        schema = json_schemas.check(body)
        with self.store.transaction():
            before = self._schemas.find(uuid, call.user, right="write")
            item = {**before, "schema": schema, "lastUpdated": round(self.clock.now(), 3)}
            self._schemas.items.put(item)
            self._schemas.note(item, "UPDATED", call.user)
        return meta_records.schema(item, call)

    def deleteSchema(self, call: Call, *, uuid: str) -> None:
        self._schemas.forget(call, uuid)

    # Permissions

    def listMetadataPermissions(self, call: Call, *, uuid: str) -> list[Item]:
        return self._data.permissions(call, uuid)

    def listMetadataPermissionsForUser(self, call: Call, *, uuid: str, username: str) -> Item:
        return self._data.permission_of(call, uuid, username)

    def updateMetadataPermissions(self, call: Call, *, uuid: str, body: Any) -> Reply:
        return self._data.share(call, uuid, body)

    def updateMetadataPermissionsForUser(self, call: Call, *, uuid: str, username: str, body: Any) -> Reply:
        return self._data.share(call, uuid, body, username=username)

    def deleteMetadataPermission(self, call: Call, *, uuid: str) -> None:
        self._data.revoke_all(call, uuid)

    def deleteMetadataPermissionsForUser(self, call: Call, *, uuid: str, username: str) -> None:
        self._data.revoke(call, uuid, username)

    def listSchemaPermissions(self, call: Call, *, uuid: str) -> list[Item]:
        return self._schemas.permissions(call, uuid)

    def listSchemaPermissionsForUser(self, call: Call, *, uuid: str, username: str) -> Item:
        return self._schemas.permission_of(call, uuid, username)

    def updateSchemaPermissions(self, call: Call, *, uuid: str, body: Any) -> Reply:
        return self._schemas.share(call, uuid, body)

    def updateSchemaPermissionsForUser(self, call: Call, *, uuid: str, username: str, body: Any) -> Reply:
        return self._schemas.share(call, uuid, body, username=username)

    def deleteSchemaPermissions(self, call: Call, *, uuid: str) -> None:
        self._schemas.revoke_all(call, uuid)

    def deleteSchemaPermissionsForUser(self, call: Call, *, uuid: str, username: str) -> None:
        self._schemas.revoke(call, uuid, username)


def _wanted(call: Call, query: mongo.Query, limit: int, offset: int, *, reader: str | None) -> Wanted:
    """Return the page a request asks for; the newest come first, with ``orderBy`` the least."""
    asked = {name.lower(): value.strip() for name, value in call.query.items()}
    names = {name.lower(): name for name in ORDERS}
    order_by = names.get(asked.get("orderby", "").lower())
    direction = asked.get("order", "").lower() or ("asc" if order_by else "desc")
    return Wanted(query, reader, limit, offset, order_by or "lastUpdated", direction.startswith("desc"))


def _list_of(body: Mapping[str, Any], name: str) -> list[Any]:
    value = body.get(name) or []
    if not isinstance(value, list):
        raise BadRequest(f"Invalid 'metadata.{name}' value. It is an array; got {shown(value)}.")
    return value


def _outcome(done: str, body: Any, act: Callable[[Item], int]) -> str:
    """Return in words what became of each element of a bulk request; one that fails does not hold up the others."""
    if not isinstance(body, list):
        raise BadRequest(f"A bulk request is an array of objects; got {shown(body)}.")
    count, failures = 0, []
    for number, given in enumerate(body, start=1):
        try:
            count += act(_object(given))
        except ApiError as problem:
            failures.append(f"Element {number}: {problem}")
    if len(failures) > _MOST_FAILURES_SHOWN:
        failures[_MOST_FAILURES_SHOWN:] = [f"{len(failures) - _MOST_FAILURES_SHOWN} more failed."]
    return " ".join([f"{count} {done}, {_failed(body, failures)}", *failures])


def _object(given: Any) -> Item:
    Fields(given, within="element")  # refuses what is no object
    return given  # type: ignore[no-any-return]


def _failed(body: list[Any], failures: list[str]) -> str:
    return f"{len(failures)} of {len(body)} elements failed."
