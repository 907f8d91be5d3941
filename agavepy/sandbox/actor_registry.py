"""Which actors there are, what else they are called, and who may do what with them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from . import actor_records
from .accounts import Accounts
from .api import BadRequest, Call, NotFound
from .clock import Clock, utc
from .fields import shown
from .store import Store

Document = dict[str, Any]

LEVELS = ("NONE", "READ", "EXECUTE", "UPDATE")  # each includes those before it
EVERYBODY = "ABACO_WORLD"
RESERVED = ("executions", "nonces", "logs", "messages", "adapters", "admin", "aliases", "search", "configs")

_ACTOR, _ALIAS = "actor", "actor-alias"


def allows(level: str, wanted: str) -> bool:
    """Return whether a level includes another."""
    return LEVELS.index(level) >= LEVELS.index(wanted)


class ActorRegistry:
    """The documents of actors and aliases, and the levels that users have on actors."""

    def __init__(self, store: Store, clock: Clock, accounts: Accounts) -> None:
        self._store = store
        self._clock = clock
        self._accounts = accounts

    # Actors

    def find(self, identifier: str) -> Document:
        """
        Return the actor of an id, or of an alias.

        :raises NotFound: there is none.
        """
        alias = self._store.get(_ALIAS, identifier)
        actor = self._store.get(_ACTOR, alias["actorId"] if alias else identifier)
        if actor is None:
            raise NotFound(f"No actor found with identifier: {identifier}.")
        return actor

    def get(self, actor_id: str) -> Document | None:
        """Return the actor of an id; None: it has been deleted."""
        return self._store.get(_ACTOR, actor_id)

    def all(self) -> Iterator[Document]:
        """Yield every actor, the latest changed first."""
        return self._store.all(_ACTOR)

    def create(self, described: Document, *, owner: str, api_server: str) -> Document:
        """Keep a new actor, whose image is yet to be looked for; return its document."""
        now = utc(self._clock.now())
        given = {"id": actor_records.new_id(), "owner": owner, "createTime": now, "revision": 1, "state": {}}
        given["apiServer"] = api_server  # what its events link to
        return self.keep({**given, **described, "status": "SUBMITTED", "statusMessage": " ", "workers": 1})

    def keep(self, actor: Document) -> Document:
        """Keep a changed actor; return its document."""
        actor = {**actor, "lastUpdateTime": utc(self._clock.now())}
        self._store.put(_ACTOR, actor["id"], actor, updated=self._clock.now())
        return actor

    def change(self, actor_id: str, **changes: Any) -> Document | None:
        """Change fields of an actor; return its document, or None when it has been deleted."""
        with self._store.transaction():
            actor = self.get(actor_id)
            return self.keep({**actor, **changes}) if actor else None

    def check_link(self, call: Call, link: str, actor: Document | None) -> None:
        """
        See to it that an actor may be linked to another.

        :param actor: None: it is yet to be made.
        :raises ApiError: there is no such actor, the caller may not send it messages, or it leads back.
        """
        linked = self.reach(call, link, "EXECUTE")
        if actor is not None and self.leads_back(linked, actor):
            raise BadRequest(f"Linking to {link} would make a cycle: its own links lead back to {actor['id']}.")

    def leads_back(self, linked: Document, actor: Document) -> bool:
        """Return whether an actor, or one that its links lead to, is another or comes again."""
        seen = {actor["id"]}
        while linked["id"] not in seen:
            seen.add(linked["id"])
            try:
                linked = self.find(linked["link"])
            except NotFound:
                return False
        return True

    def delete(self, actor_id: str) -> None:
        """Forget an actor, with its aliases and levels."""
        for alias in list(self._store.all(_ALIAS)):
            if alias["actorId"] == actor_id:
                self._store.delete(_ALIAS, alias["alias"])
        self._store.revoke_all(_subject(actor_id))
        self._store.delete(_ACTOR, actor_id)

    # Levels

    def reach(self, call: Call, identifier: str, level: str) -> Document:
        """
        Return an actor on which the caller has a level.

        :raises NotFound: there is no such actor.
        :raises BadRequest: the caller has less; Abaco answers 400 to that.
        """
        actor = self.find(identifier)
        if not allows(self.level_of(call, actor), level):
            raise BadRequest("Not authorized -- you do not have access to this actor.")
        return actor

    def level_of(self, call: Call, actor: Document) -> str:
        """Return the level of the caller on an actor."""
        if call.admin or call.user == actor["owner"]:
            return LEVELS[-1]
        granted = self._store.grants(_subject(actor["id"]))
        return max((granted.get(name, LEVELS[0]) for name in (call.user, EVERYBODY)), key=LEVELS.index)

    def levels(self, actor: Document) -> dict[str, str]:
        """Return the level of everybody who has one, the owner first."""
        return {actor["owner"]: LEVELS[-1], **self._store.grants(_subject(actor["id"]))}

    def grant(self, actor: Document, user: str, level: str) -> None:
        """
        Give a user a level; NONE takes it away.

        :raises BadRequest: there is no such user, or it is the owner.
        """
        if user == actor["owner"]:
            raise BadRequest(f"{user} owns this actor and always has the level {LEVELS[-1]}.")
        if user != EVERYBODY and not self._accounts.exists(user):
            raise BadRequest(f"No user found matching {shown(user)}; {EVERYBODY} stands for everybody.")
        self._store.grant(_subject(actor["id"]), user, level)

    # Aliases

    def aliases(self, call: Call) -> list[Document]:
        """Return the aliases that the caller made, and those of actors that the caller may read, by name."""
        seen = [alias for alias in self._store.all(_ALIAS) if self._sees(call, alias)]
        return sorted(seen, key=lambda alias: str(alias["alias"]))

    def alias(self, call: Call, name: str) -> Document:
        """
        Return an alias.

        :raises NotFound: there is none that the caller may know of.
        """
        found = self._store.get(_ALIAS, name)
        if found is None or not self._sees(call, found):
            raise NotFound(f"No alias found: {name}.")
        return found

    def add_alias(self, call: Call, name: str, actor_id: str) -> Document:
        """
        Keep a new name of an actor that the caller may update.

        :raises BadRequest: the name is taken, or no name.
        """
        _check_alias(name)
        with self._store.transaction():
            actor = self.reach(call, actor_id, "UPDATE")
            if self._store.get(_ALIAS, name) or self._store.get(_ACTOR, name):
                raise BadRequest(f"Alias {name} already exists.")
            alias = {"alias": name, "actorId": actor["id"], "owner": call.user}
            self._store.put(_ALIAS, name, alias, updated=self._clock.now())
        return alias

    def delete_alias(self, call: Call, name: str) -> None:
        """
        Forget an alias.

        :raises BadRequest: the caller neither made it nor administers the tenant.
        """
        with self._store.transaction():
            alias = self.alias(call, name)
            if not (call.admin or call.user == alias["owner"]):
                raise BadRequest("Not authorized -- you do not have access to this alias.")
            self._store.delete(_ALIAS, name)

    def _sees(self, call: Call, alias: Document) -> bool:
        actor = self.get(alias["actorId"])
        return call.user == alias["owner"] or (actor is not None and allows(self.level_of(call, actor), "READ"))


def _check_alias(name: str) -> None:
    if name in RESERVED:
        raise BadRequest(f"{name} is a reserved word. Choose another alias; reserved are {', '.join(RESERVED)}.")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,255}", name):
        raise BadRequest(f"An alias has letters, digits, - and _ only; got {shown(name)}.")


def _subject(actor_id: str) -> str:
    return f"actor:{actor_id}"
