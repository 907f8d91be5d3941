"""OAuth clients: what a program shows to ask for tokens, and the APIs these may use."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator
from typing import Any

from .api import BadRequest
from .clock import Clock
from .store import Store

DEFAULT_CLIENT = "DefaultApplication"  # every user has it
TIERS = ("Bronze", "Gold", "Silver", "Unlimited")
API_SEGMENTS = (
    *("apps", "files", "jobs", "meta", "monitors", "notifications", "postits"),
    *("profiles", "systems", "transforms", "actors"),
)


@dataclasses.dataclass(frozen=True)
class Credentials:
    """The two halves of a client's credentials; the secret half is known only when it has just been made."""

    key: str
    secret: str


class Clients:
    """OAuth clients: found by owner and name, or by consumer key."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def create(
        self, owner: str, name: str, *, description: str = "", tier: str = "Unlimited", callback_url: str = ""
    ) -> Credentials:
        """Make a client, subscribed to every API; return its credentials, of which the secret is not kept.

        :raises BadRequest: the owner has one of that name.
        """
        facts = {"description": description, "tier": tier, "callbackUrl": callback_url}
        with self._store.transaction():
            if self.find(owner, name) is not None:
                raise BadRequest(f"Unable to create application: a duplicate application name exists: {name}")
            return self._keep({"owner": owner, "name": name, **facts, "subscriptions": catalogue()})

    def renew(self, owner: str, name: str) -> Credentials:
        """Give a client new credentials; the old ones, and the tokens obtained with them, stop working."""
        with self._store.transaction():
            client = self.find(owner, name)
            if client is None:
                raise BadRequest("Application not found")
            self._store.delete("consumer", client["consumerKey"])
            return self._keep(client)

    def of(self, owner: str) -> Iterator[dict[str, Any]]:
        """Yield a user's clients in the order of their names."""
        mine = (each for each in self._store.all("client") if each["owner"] == owner)
        return iter(sorted(mine, key=lambda each: str(each["name"])))

    def find(self, owner: str, name: str) -> dict[str, Any] | None:
        """Return a user's client by name."""
        return self._store.get("client", _key(owner, name))

    def by_key(self, consumer_key: str) -> dict[str, Any] | None:
        """Return the client with this consumer key."""
        pointer = self._store.get("consumer", consumer_key)
        return self.find(pointer["owner"], pointer["name"]) if pointer else None

    def verify(self, consumer_key: str, secret: str) -> bool:
        """Return whether key and secret are those of a client."""
        client = self.by_key(consumer_key)
        return client is not None and hmac.compare_digest(client["secret"], fingerprint(secret))

    def delete(self, owner: str, name: str) -> bool:
        """Forget a client; False when there was none. Its tokens stop working."""
        with self._store.transaction():
            client = self.find(owner, name)
            if client is not None:
                self._store.delete("consumer", client["consumerKey"])
            return self._store.delete("client", _key(owner, name))

    def subscribe(self, owner: str, name: str, apis: list[str]) -> None:
        """Add subscriptions; those there already stay."""
        self._change_subscriptions(owner, name, lambda known: known + [api for api in apis if api not in known])

    def unsubscribe(self, owner: str, name: str, apis: list[str]) -> None:
        """Take subscriptions away."""
        self._change_subscriptions(owner, name, lambda known: [api for api in known if api not in apis])

    def _change_subscriptions(self, owner: str, name: str, change: Callable[[list[str]], list[str]]) -> None:
        with self._store.transaction():
            client = self.find(owner, name)
            if client is None:
                raise BadRequest("Application not found")
            client["subscriptions"] = change(client["subscriptions"])
            self._store.put("client", _key(owner, name), client, updated=self._clock.now())

    def _keep(self, client: dict[str, Any]) -> Credentials:
        made = Credentials(secrets.token_urlsafe(21), secrets.token_urlsafe(21))
        known = client | {"consumerKey": made.key, "secret": fingerprint(made.secret)}
        now = self._clock.now()
        self._store.put("client", _key(client["owner"], client["name"]), known, updated=now)
        self._store.put("consumer", made.key, {"owner": client["owner"], "name": client["name"]}, updated=now)
        return made


def catalogue() -> list[str]:
    """Return the names of the APIs a new client is subscribed to: the tenant's own."""
    return [segment.capitalize() for segment in API_SEGMENTS]


def fingerprint(secret: str) -> str:
    """Return the SHA-256 of a random secret: long enough not to need a slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _key(owner: str, name: str) -> str:
    return f"{owner}/{name}"  # a user name holds no slash
