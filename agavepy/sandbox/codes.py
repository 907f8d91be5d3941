"""Authorization codes: what a user's consent is turned into, and what was given for it."""

from __future__ import annotations

from typing import Any

from .clock import Clock
from .oauth_clients import fingerprint
from .store import Store

CODE_TTL_S = 600  # RFC 6749 4.1.2 allows no more

Code = dict[str, Any]  # user, client, redirect_uri, challenge, method, expires; gave: the grant it bought, or None


class Codes:
    """Authorization codes, of which only fingerprints are kept; a spent one is remembered, with what it gave."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def keep(
        self, code: str, *, user: str, client: str, redirect_uri: str, challenge: str | None, method: str | None
    ) -> None:
        """Keep a fresh code; ``challenge`` and ``method`` are those of PKCE, RFC 7636."""
        now = self._clock.now()
        facts = {"user": user, "client": client, "redirect_uri": redirect_uri, "challenge": challenge, "method": method}
        document = {**facts, "expires": now + CODE_TTL_S, "gave": None}
        self._store.put("code", fingerprint(code), document, updated=now)

    def find(self, code: str) -> Code | None:
        """Return what is known of a code, however old."""
        return self._store.get("code", fingerprint(code))

    def is_usable(self, code: Code) -> bool:
        """Return whether tokens can be had for it."""
        return code["gave"] is None and self._clock.now() < code["expires"]

    def note(self, key: str, gave: dict[str, Any]) -> None:
        """Note the grant that lives by the code of this fingerprint; a renewal replaces it."""
        document = self._store.get("code", key)
        if document is not None:
            self._store.put("code", key, document | {"gave": gave}, updated=self._clock.now())
