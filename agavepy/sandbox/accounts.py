"""Who there is: users, their OAuth clients, and the tokens these obtained."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from typing import Any

from .api import BadRequest
from .apis import Apis
from .clock import Clock
from .oauth_clients import DEFAULT_CLIENT, Clients
from .remembered import Remembered
from .roles import TENANT_ADMIN, Roles
from .store import Store, new_uuid
from .tokens import Tokens

# Cost, block size and parallelism: 16 MiB and about 40 ms a password, RFC 7914's interactive setting.
_SCRYPT = {"n": 1 << 14, "r": 8, "p": 1}
_RETIRED = "removed-user"  # only who runs the tenant can bring such a user back: Sandbox.add_user()
_USER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


class Accounts:
    """Users, with their clients in ``clients``, their tokens, their roles, and the APIs they call in ``apis``."""

    def __init__(self, store: Store, clock: Clock, *, token_ttl_s: int = 14400) -> None:
        self._store = store
        self._clock = clock
        self.clients = Clients(store, clock)
        self.tokens = Tokens(store, clock, self.clients, ttl_s=token_ttl_s)
        self.roles = Roles(store, clock)
        self.apis = Apis(store, clock)
        self._admins = Remembered(store, ("user",), self._administers)

    def add_user(
        self,
        name: str,
        password: str,
        *,
        admin: bool = False,
        facts: Mapping[str, str] | None = None,
        is_service: bool = False,
    ) -> None:
        """
        Add a user; one that exists gets the password.

        :param facts: of the profile, in its names: ``email``, ``firstName``, …
        :param is_service: it is a program's account, which administrators manage by the admin service.
        :raises BadRequest: a name that could not be a folder's, or an empty password.
        """
        if not _USER_NAME.fullmatch(name):
            raise BadRequest(f"User name {name!r} must be 1 to 64 letters, digits or . _ @ -, the first not a sign.")
        if not password:
            raise BadRequest(f"User {name} needs a password.")
        hashed = _scrypt(password)
        with self._store.transaction():
            known = self._store.get("user", name) or self._new_user(name)
            known |= {"password": hashed, "admin": admin or known["admin"]}
            known |= {"service": is_service or known.get("service", False)}
            known["profile"] |= facts or {}
            self._store.put("user", name, known, updated=self._clock.now())
            if self.clients.find(name, DEFAULT_CLIENT) is None:
                self.clients.create(name, DEFAULT_CLIENT)

    def update(self, name: str, facts: dict[str, str], *, password: str | None = None) -> None:
        """Change facts of the profile, and the password when one is given."""
        hashed = _scrypt(password) if password else None
        with self._store.transaction():
            known = self._store.get("user", name)
            if known is None:
                raise BadRequest(f"No user found matching {name}")
            known["profile"] |= facts
            known["password"] = hashed or known["password"]
            self._store.put("user", name, known, updated=self._clock.now())

    def remove_user(self, name: str) -> None:
        """Forget the user and their clients; their tokens stop working."""
        with self._store.transaction():
            for client in list(self.clients.of(name)):
                self.clients.delete(name, client["name"])
            self._store.delete("user", name)

    def check_new(self, name: str) -> None:
        """:raises BadRequest: there is, or was, a user of that name."""
        if self.exists(name):
            raise BadRequest(f"User {name} exists already.")
        if self._store.get(_RETIRED, name):
            # Files, grants, apps and jobs are kept by name: who got it next would have them all.
            raise BadRequest(f"User {name} was removed; the name stays taken, with the files it has.")

    def retire_user(self, name: str) -> None:
        """Forget the user, but not the name: nobody gets it again by way of the API."""
        with self._store.transaction():
            self.remove_user(name)
            self._store.put(_RETIRED, name, {"username": name}, updated=self._clock.now())

    def service_accounts(self) -> list[str]:
        """Return the names of programs' accounts, in order."""
        return sorted(each["profile"]["username"] for each in self._store.all("user") if each.get("service"))

    def exists(self, name: str) -> bool:
        """Return whether there is such a user."""
        return self._store.get("user", name) is not None

    def is_admin(self, name: str) -> bool:
        """Return whether the user administers the tenant."""
        return bool(self._admins.get(name))

    def verify(self, name: str, password: str) -> bool:
        """Return whether this is the user's password; takes as long for a user there is not."""
        known = self._store.get("user", name)
        return _matches(password, known["password"] if known else _NOBODY) and known is not None

    def profile(self, name: str) -> dict[str, Any] | None:
        """Return the facts kept about a user: ``username``, ``uuid``, ``created`` (seconds) and what was given."""
        known = self._store.get("user", name)
        return known["profile"] if known else None

    def name_of(self, uuid: str) -> str | None:
        """Return the user whose profile has a uuid; None: nobody's has."""
        profiles = (each["profile"] for each in self._store.all("user"))
        return next((str(each["username"]) for each in profiles if each["uuid"] == uuid), None)

    def users(self) -> list[str]:
        """Return all names, in order."""
        return sorted(each["profile"]["username"] for each in self._store.all("user"))

    def _administers(self, name: str) -> bool | None:
        known = self._store.get("user", name)
        return bool(known["admin"]) or TENANT_ADMIN in known.get("roles", ()) if known else None

    def _new_user(self, name: str) -> dict[str, Any]:
        facts = {"username": name, "uuid": new_uuid("001"), "created": self._clock.now()}
        return {"password": "", "admin": False, "profile": facts}


def _scrypt(password: str, *, salt: bytes | None = None) -> str:
    salt = salt or secrets.token_bytes(16)
    digest = hashlib.scrypt(password.encode("utf-8", "surrogatepass"), salt=salt, dklen=32, **_SCRYPT)
    return f"scrypt${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def _matches(password: str, hashed: str) -> bool:
    salt = base64.b64decode(hashed.split("$")[1])
    return hmac.compare_digest(_scrypt(password, salt=salt), hashed)


_NOBODY = f"scrypt${base64.b64encode(bytes(16)).decode()}${base64.b64encode(bytes(32)).decode()}"
