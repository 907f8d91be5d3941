"""Access and refresh tokens."""

from __future__ import annotations

import dataclasses
from typing import Any

from .clock import Clock
from .codes import Codes
from .oauth_clients import Clients, fingerprint
from .remembered import Remembered
from .store import Store

_DECIDE = ("access", "client", "consumer", "user")  # the documents that decide what an access token may do


@dataclasses.dataclass(frozen=True)
class Bearer:
    """Whom an access token speaks for, and the APIs it may use; ``is_ended``: revoked, superseded or orphaned."""

    user: str
    apis: frozenset[str]
    expires: float
    is_ended: bool


@dataclasses.dataclass(frozen=True)
class Payment:
    """What a grant is given for, once: a refresh token or an authorization code; neither: for nothing that is spent."""

    refresh: str | None = None
    code: str | None = None


class Tokens:
    """Access and refresh tokens, of which only fingerprints are kept."""

    def __init__(self, store: Store, clock: Clock, clients: Clients, *, ttl_s: int) -> None:
        self._store = store
        self._clock = clock
        self._clients = clients
        self._bearers = Remembered(store, _DECIDE, self._read_bearer)
        self.codes = Codes(store, clock)
        self.ttl_s = ttl_s

    def issue(
        self,
        user: str,
        client: str,
        *,
        access: str,
        refresh: str | None,
        lives_s: int,
        is_public: bool = False,
        spend: Payment = Payment(),
    ) -> bool:
        """
        Keep fresh tokens; the access token lives ``lives_s`` seconds, the refresh token until it is spent.

        :param is_public: given to a client that showed no secret, and may be renewed and revoked without one.
        :param spend: what pays for them. A refresh token ends with its access token; a code that was spent before
            ends what it gave, RFC 6749 4.1.2.
        :returns: False, and nothing is kept, when it was spent already.
        """
        now = self._clock.now()
        keys = {"access": fingerprint(access), "refresh": fingerprint(refresh) if refresh else None}
        grant = {"user": user, "client": client, **keys, "public": is_public, "code": None}
        with self._store.transaction():
            if not self._spend(spend, grant):
                return False
            self._store.put("access", fingerprint(access), grant | {"expires": now + lives_s}, updated=now)
            if refresh:
                self._store.put("refresh", fingerprint(refresh), grant, updated=now)
            return True

    def bearer(self, access: str) -> Bearer | None:
        """Return whom the access token speaks for; None: it is not ours."""
        return self._bearers.get(fingerprint(access))

    def state(self, bearer: Bearer) -> str:
        """Return "active", "expired" or "inactive"."""
        if bearer.is_ended:
            return "inactive"
        return "active" if self._clock.now() < bearer.expires else "expired"

    def find(self, token: str) -> dict[str, Any] | None:
        """Return the grant of an access token, or of a refresh token that may still be spent."""
        key = fingerprint(token)
        return self._store.get("access", key) or self._store.get("refresh", key)

    def find_refresh(self, refresh: str) -> dict[str, Any] | None:
        """Return the grant of a refresh token that may still be spent."""
        return self._store.get("refresh", fingerprint(refresh))

    def revoke(self, token: str) -> None:
        """End the grant an access or refresh token belongs to."""
        with self._store.transaction():
            grant = self.find(token)
            if grant is not None:
                self._end(grant)

    def revoke_given_for(self, code: str) -> None:
        """End what an authorization code gave, and what that was renewed to."""
        with self._store.transaction():
            known = self.codes.find(code)
            if known is not None and known["gave"]:
                self._end(known["gave"])

    def revoke_refresh_tokens(self, user: str) -> None:
        """Make a user's refresh tokens worthless; access tokens live on to their end."""
        with self._store.transaction():
            for grant in list(self._store.all("refresh")):
                if grant["user"] == user:
                    self._store.delete("refresh", grant["refresh"])

    def expire(self) -> None:
        """Make every access token expire now; refresh tokens stay."""
        now = self._clock.now()
        with self._store.transaction():
            for grant in list(self._store.all("access")):
                if now < grant["expires"]:
                    self._store.put("access", grant["access"], grant | {"expires": now}, updated=now)

    def _spend(self, payment: Payment, grant: dict[str, Any]) -> bool:
        """Take what pays for ``grant``, and write into it what it inherits; False: it was taken before."""
        if payment.refresh:
            return self._spend_refresh(payment.refresh, grant)
        return self._spend_code(payment.code, grant) if payment.code else True

    def _spend_refresh(self, refresh: str, grant: dict[str, Any]) -> bool:
        old = self.find_refresh(refresh)
        if old is None:
            return False
        self._end(old)
        grant |= {"public": old.get("public", False), "code": old.get("code")}
        if grant["code"]:
            self.codes.note(grant["code"], grant)
        return True

    def _spend_code(self, code: str, grant: dict[str, Any]) -> bool:
        known = self.codes.find(code)
        if known is None or not self.codes.is_usable(known):
            self.revoke_given_for(code)
            return False
        grant["code"] = fingerprint(code)
        self.codes.note(grant["code"], dict(grant))
        return True

    def _end(self, grant: dict[str, Any]) -> None:
        access = self._store.get("access", grant["access"])
        if access is not None:
            self._store.put("access", grant["access"], access | {"ended": True}, updated=self._clock.now())
        if grant["refresh"]:
            self._store.delete("refresh", grant["refresh"])

    def _read_bearer(self, key: str) -> Bearer | None:
        grant = self._store.get("access", key)
        if grant is None:
            return None
        client = self._clients.by_key(grant["client"])
        is_orphan = client is None or self._store.get("user", grant["user"]) is None
        apis = frozenset(client["subscriptions"] if client else ())
        return Bearer(grant["user"], apis, grant["expires"], bool(grant.get("ended")) or is_orphan)
