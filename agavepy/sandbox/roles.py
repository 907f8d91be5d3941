"""Roles that administrators give to service accounts, and what three of them let their holders do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from .api import BadRequest, NotFound
from .clock import Clock
from .remembered import Remembered
from .store import Store

TENANT_ADMIN = "tenant-admin"  # administers the tenant
ACCOUNT_MANAGER = "user-account-manager"  # creates, changes and deletes users, by profiles
IMPERSONATOR = "impersonator"  # obtains tokens of other users, by the grant admin_password
BUILT_IN = (IMPERSONATOR, TENANT_ADMIN, ACCOUNT_MANAGER)

_KIND = "service-role"
_FORMAT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Roles:
    """Which roles there are, and which user has which; they are kept with the user."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._of_users = Remembered(store, ("user",), self._read)

    def names(self) -> list[str]:
        """Return all roles, in the order of their names."""
        return sorted([*BUILT_IN, *(each["id"] for each in self._store.all(_KIND))])

    def check(self, role: str) -> None:
        """:raises NotFound: there is no such role."""
        if role not in BUILT_IN and self._store.get(_KIND, role) is None:
            raise NotFound(f"No role found matching {role}. Roles: {', '.join(self.names())}.")

    def add(self, role: str) -> None:
        """Make a role; :raises BadRequest: it is there, or no role can have that name."""
        if not _FORMAT.fullmatch(role):
            raise BadRequest(f"The role {role!r:.80} must be 1 to 64 letters, digits or . _ -, the first not a sign.")
        with self._store.transaction():
            if role in self.names():
                raise BadRequest(f"Role {role} exists already.")
            self._store.put(_KIND, role, {"id": role}, updated=self._clock.now())

    def delete(self, role: str) -> None:
        """Forget a role and take it from everybody; :raises BadRequest: the tenant needs it."""
        if role in BUILT_IN:
            raise BadRequest(f"The role {role} is built in; take it from the accounts that have it.")
        with self._store.transaction():
            self.check(role)
            for name in self.holders(role):
                self.take(name, role)
            self._store.delete(_KIND, role)

    def of(self, name: str) -> frozenset[str]:
        """Return the roles of a user."""
        return self._of_users.get(name) or frozenset()

    def holders(self, role: str) -> list[str]:
        """Return the users who have a role, in the order of their names."""
        users = (each for each in self._store.all("user") if role in each.get("roles", ()))
        return sorted(each["profile"]["username"] for each in users)

    def give(self, name: str, role: str) -> None:
        """Give a user one more role; :raises NotFound: there is no such role."""
        self.check(role)
        self._change(name, lambda known: known | {role})

    def take(self, name: str, role: str) -> None:
        """Take a role from a user; :raises NotFound: they do not have it."""
        if role not in self.of(name):
            raise NotFound(f"{name} does not have the role {role}.")
        self._change(name, lambda known: known - {role})

    def replace(self, name: str, roles: Iterable[str]) -> None:
        """Give a user these roles and no others; :raises NotFound: one of them is none."""
        wanted = frozenset(roles)
        for role in sorted(wanted):
            self.check(role)
        self._change(name, lambda known: wanted)

    def _change(self, name: str, change: Callable[[frozenset[str]], frozenset[str]]) -> None:
        with self._store.transaction():
            user = self._store.get("user", name)
            if user is None:
                raise NotFound(f"No user found matching {name}")
            roles = sorted(change(frozenset(user.get("roles", ()))))
            self._store.put("user", name, {**user, "roles": roles}, updated=self._clock.now())

    def _read(self, name: str) -> frozenset[str] | None:
        user: dict[str, Any] | None = self._store.get("user", name)
        return frozenset(user.get("roles", ())) if user else None
