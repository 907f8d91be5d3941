"""Access and refresh tokens."""

from __future__ import annotations

import dataclasses
from typing import Any

from .clock import Clock
from .oauth_clients import Clients, fingerprint
from .store import Store


@dataclasses.dataclass(frozen=True)
class Bearer:
    """Whom an access token speaks for. ``state``: "active", "expired" or "inactive" (revoked or superseded)."""

    user: str
    client: str  # consumer key
    state: str


class Tokens:
    """Access and refresh tokens, of which only fingerprints are kept."""

    def __init__(self, store: Store, clock: Clock, clients: Clients, *, ttl_s: int) -> None:
        self._store = store
        self._clock = clock
        self._clients = clients
        self.ttl_s = ttl_s

    def issue(self, user: str, client: str, *, access: str, refresh: str, spend: str | None = None) -> bool:
        """
        Keep a fresh pair; the access token lives ``ttl_s`` seconds, the refresh token until it is spent.

        :param spend: the refresh token that pays for it: it ends, and so does its access token.
        :returns: False, and nothing is kept, when ``spend`` was spent already.
        """
        now = self._clock.now()
        keys = {"access": fingerprint(access), "refresh": fingerprint(refresh)}
        grant = {"user": user, "client": client, **keys}
        with self._store.transaction():
            if spend and not self._spend(spend):
                return False
            self._store.put("access", keys["access"], grant | {"expires": now + self.ttl_s}, updated=now)
            self._store.put("refresh", keys["refresh"], grant, updated=now)
            return True

    def bearer(self, access: str) -> Bearer | None:
        """Return whom the access token speaks for; None: it is not ours."""
        grant = self._store.get("access", fingerprint(access))
        return Bearer(grant["user"], grant["client"], self._state(grant)) if grant else None

    def refresh_user(self, refresh: str, client: str) -> str | None:
        """Return the user a refresh token may renew for, through the client it was issued to; else None."""
        grant = self._store.get("refresh", fingerprint(refresh))
        return grant["user"] if grant and grant["client"] == client else None

    def revoke(self, token: str, client: str) -> None:
        """End the grant an access or refresh token belongs to, if it is this client's."""
        with self._store.transaction():
            key = fingerprint(token)
            grant = self._store.get("access", key) or self._store.get("refresh", key)
            if grant is not None and grant["client"] == client:
                self._end(grant)

    def _spend(self, refresh: str) -> bool:
        grant = self._store.get("refresh", fingerprint(refresh))
        if grant is not None:
            self._end(grant)
        return grant is not None

    def _end(self, grant: dict[str, Any]) -> None:
        access = self._store.get("access", grant["access"])
        if access is not None:
            self._store.put("access", grant["access"], access | {"ended": True}, updated=self._clock.now())
        self._store.delete("refresh", grant["refresh"])

    def _state(self, grant: dict[str, Any]) -> str:
        if grant.get("ended") or self._clients.by_key(grant["client"]) is None:
            return "inactive"
        if self._store.get("user", grant["user"]) is None:
            return "inactive"
        return "active" if self._clock.now() < grant["expires"] else "expired"
