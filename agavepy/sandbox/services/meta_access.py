"""Who may do what with items of metadata and with schemas, which are shared by the same rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .. import macros, pems
from ..api import BadRequest, Call, Forbidden, NotFound, Reply
from ..clock import iso
from ..events import Subject
from ..fields import Fields
from ..items import Items
from ..resources_by_uuid import kind_of, known
from . import meta_records

if TYPE_CHECKING:
    from ..state import State

Item = dict[str, Any]

_WORDS = ("NONE", "READ", "WRITE", "READ_WRITE", "ALL")


class Shared:
    """Items of one kind, as their readers and writers reach them.

    :param noun: as messages call one.
    :param folder: of their addresses: ``data`` or ``schemas``.
    :param show: how an item looks to a caller.
    """

    def __init__(self, state: State, kind: str, *, noun: str, folder: str, show: Callable[[Item, Call], Item]) -> None:
        self.items = Items(state.store, kind)
        self._state = state
        self._noun = noun
        self._folder = folder
        self._show = show

    def find(self, uuid: str, user: str, *, right: str = "read") -> Item:
        """
        Return an item the user may read, or write.

        :raises NotFound: there is none.
        :raises Forbidden: it is not the user's to do that.
        """
        item = self.items.get(uuid)
        if item is None:
            raise NotFound(f"No {self._noun} found for user with id {uuid}")
        if not pems.allows(self._word(item, user), right):
            raise Forbidden(f"Permission denied. User does not have permission to {right} the {self._noun} {uuid}")
        return item

    # Events

    def subject(self, uuid: str) -> Subject | None:
        """Return an item as events are about it; None: there is no such item."""
        item = self.items.get(uuid)
        return None if item is None else self._subject(item)

    def _subject(self, item: Item) -> Subject:
        return Subject(
            item["uuid"],
            f"meta/v2/{self._folder}/{item['uuid']}",
            lambda user: pems.allows(self._word(item, user), "read"),
            lambda call: self._show(item, call),
        )

    def _word(self, item: Item, user: str) -> str:
        if user == item["owner"] or self._state.accounts.is_admin(user):
            return "ALL"
        return pems.granted(self._state.store.grants(item["uuid"]), user)

    def note(
        self, item: Item, event: str, user: str, description: str = "", *, told: Mapping[str, str] | None = None
    ) -> None:
        """Add to the history of an item, and tell of it; those who watch what it is associated with, too."""
        text = description or f"{event} by {user}"
        self._state.store.add_event(item["uuid"], event, text, created=self._state.clock.now(), created_by=user)
        subject = self._subject(item)
        self._state.events.publish(subject, event, by=user, macros=told)
        for uuid in item.get("associationIds", ()):
            resource = known(self._state, uuid)
            if resource is not None:
                beside = resource.beside(subject, own=kind_of(uuid), named="metadata")
                self._state.events.publish(beside, f"METADATA_{event}", by=user, macros=told)

    # Permissions

    def permissions(self, call: Call, uuid: str) -> list[Item]:
        """Return what everybody may do with an item, its owner first."""
        item = self.find(uuid, call.user)
        everybody = {item["owner"]: "ALL", **self._state.store.grants(uuid)}
        return [self._permission(uuid, user, word, call) for user, word in everybody.items()]

    def permission_of(self, call: Call, uuid: str, username: str) -> Item:
        """Return what one user was given; :raises NotFound: nothing."""
        found = [each for each in self.permissions(call, uuid) if each["username"] == username]
        if not found:
            raise NotFound(f"No permissions found for user {username}")
        return found[0]

    def share(self, call: Call, uuid: str, body: Any, *, username: str | None = None) -> Reply:
        """Give the permission that a request asks for; NONE takes it away."""
        name, word = self.requested(body, username=username)
        with self._state.store.transaction():
            item = self.find(uuid, call.user, right="write")
            is_new = self.grant(item, name, word, by=call.user) and word != "NONE"
        held = "ALL" if name == item["owner"] else word
        return Reply(self._permission(uuid, name, held, call), "created" if is_new else "ok")

    def requested(self, body: Any, *, username: str | None = None) -> tuple[str, str]:
        """Return the user name, which the path may give, and the permission word of a request."""
        fields = Fields(body, within="permission request")
        word = fields.choice("permission", _WORDS)
        name = username or fields.text("username")
        if not pems.is_grantee(name, self._state.accounts):
            raise BadRequest(f"No user found matching {name}")
        return name, word

    def grant(self, item: Item, username: str, word: str, *, by: str) -> bool:
        """Give a permission word; return whether the user had none before. An owner always has all."""
        known = self._state.store.grants(item["uuid"])
        if username == item["owner"]:
            return False
        self._state.store.grant(item["uuid"], username, word)
        changed = "PERMISSION_UPDATE" if username in known else "PERMISSION_GRANT"
        event = "PERMISSION_REVOKE" if word == "NONE" else changed
        told = macros.of_permission(username, word, changed=iso(self._state.clock.now()))
        self.note(item, event, by, f"{word} permission for {username}", told=told)
        return username not in known

    def revoke(self, call: Call, uuid: str, username: str) -> None:
        """Take one user's permission away."""
        with self._state.store.transaction():
            item = self.find(uuid, call.user, right="write")
            if username in self._state.store.grants(uuid):
                self.grant(item, username, "NONE", by=call.user)

    def revoke_all(self, call: Call, uuid: str) -> None:
        """Take every permission but the owner's away."""
        with self._state.store.transaction():
            item = self.find(uuid, call.user, right="write")
            self.note(item, "PERMISSION_REVOKE", call.user, "All permissions revoked")
            self._state.store.revoke_all(uuid)

    def _permission(self, uuid: str, username: str, word: str, call: Call) -> Item:
        return meta_records.permission(f"meta/v2/{self._folder}/{uuid}", username, word, call)

    def forget(self, call: Call, uuid: str) -> None:
        """Delete an item with its permissions."""
        with self._state.store.transaction():
            item = self.find(uuid, call.user, right="write")
            self.items.delete(uuid)
            self.note(item, "DELETED", call.user)  # before the grants go, so that those it was shared with are told
            self._state.store.revoke_all(uuid)
