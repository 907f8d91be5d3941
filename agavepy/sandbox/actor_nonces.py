"""Nonces: keys that open one actor in its owner's name, up to a level and for so many uses."""

from __future__ import annotations

import secrets
from typing import Any

from .actor_registry import allows
from .api import BadRequest
from .clock import Clock, utc
from .store import Store

Document = dict[str, Any]

UNLIMITED = -1
_KIND = "actor-nonce"


class Nonces:
    """The nonces of all actors. They are kept as they are: the service shows them again to whoever may use them."""

    def __init__(self, store: Store, clock: Clock, *, tenant_id: str) -> None:
        self._store = store
        self._clock = clock
        self._prefix = tenant_id.upper()

    def create(self, actor: Document, *, level: str, most_uses: int, description: str) -> Document:
        """Keep a new nonce, which speaks for the actor's owner."""
        nonce = {
            "id": f"{self._prefix}_{secrets.token_hex(16)}",
            "actorId": actor["id"],
            "owner": actor["owner"],
            "roles": [],
            "level": level,
            "maxUses": most_uses,
            "currentUses": 0,
            "description": description,
            "createTime": utc(self._clock.now()),
            "lastUseTime": "None",  # Abaco writes the word
        }
        self._keep(nonce)
        return nonce

    def of(self, actor_id: str, *, within: str) -> list[Document]:
        """Return an actor's nonces that go no further than a level: showing one is giving it."""
        return [nonce for _, nonce in self._store.below(_KIND, actor_id) if allows(within, nonce["level"])]

    def get(self, actor_id: str, nonce_id: str, *, within: str) -> Document:
        """
        Return one of an actor's nonces that go no further than a level.

        :raises BadRequest: there is none.
        """
        nonce = self._store.get(_KIND, f"{actor_id}/{nonce_id}")
        if nonce is None or not allows(within, nonce["level"]):
            raise BadRequest("Nonce does not exist.")
        return nonce

    def redeem(self, actor_id: str, nonce_id: str, level: str) -> Document:
        """
        Return a nonce that opens a level, with this use counted.

        :raises BadRequest: it does not exist, or does not go so far, or has been used up.
        """
        with self._store.transaction():
            nonce = self.get(actor_id, nonce_id, within="UPDATE")
            if not allows(nonce["level"], level):
                raise BadRequest("Nonce does not have sufficient permissions level.")
            if nonce["maxUses"] != UNLIMITED and nonce["currentUses"] >= nonce["maxUses"]:
                raise BadRequest("No remaining uses left for this nonce.")
            used = {"currentUses": nonce["currentUses"] + 1, "lastUseTime": utc(self._clock.now())}
            self._keep({**nonce, **used})
            return nonce

    def delete(self, actor_id: str, nonce_id: str) -> None:
        """Forget a nonce."""
        self._store.delete(_KIND, f"{actor_id}/{nonce_id}")

    def delete_all(self, actor_id: str) -> None:
        """Forget the nonces of an actor."""
        for key, _ in self._store.below(_KIND, actor_id):
            self._store.delete(_KIND, key)

    def _keep(self, nonce: Document) -> None:
        self._store.put(_KIND, f"{nonce['actorId']}/{nonce['id']}", nonce, updated=self._clock.now())
