"""Credentials on systems: a system's own, which serve everybody, and those of internal users.

Every system is a folder of the tenant's, so nothing ever logs in with a secret: secrets are checked and none is kept.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from ..api import BadRequest, Call, NotFound, Reply
from ..clock import iso
from ..fields import Fields
from . import Service
from .system_description import check_credential

System = dict[str, Any]
Credential = dict[str, Any]

_KIND = "credential"
_INTERNAL_USER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_BOTH = ("storage", "login")


class SystemCredentials(Service):
    """The nine operations on credentials; what they have in common with other operations is its subclass's."""

    def managed_system(self, system_id: str, user: str) -> System:
        """Return a system that the user manages; :raises ApiError: it is not theirs to manage."""
        raise NotImplementedError

    def keep_system(self, system: System, event: str, user: str) -> System:
        """Keep a changed system, and note an event in its history."""
        raise NotImplementedError

    # Reading

    def listCredentials(self, call: Call, *, systemId: str) -> list[Credential]:
        system = self.managed_system(systemId, call.user)
        return [_entry(system, each, call) for each in (*_own(system), *self._kept(system))]

    def listCredentialsForInternalUser(self, call: Call, *, systemId: str, internalUsername: str) -> list[Credential]:
        system = self.managed_system(systemId, call.user)
        return self._entries(system, _internal_user(internalUsername), _BOTH, call)

    def listCredentialsForInternalUserByType(
        self, call: Call, *, systemId: str, internalUsername: str, credentialType: str
    ) -> list[Credential]:
        system = self.managed_system(systemId, call.user)
        return self._entries(system, _internal_user(internalUsername), _side(system, credentialType), call)

    def _entries(self, system: System, owner: str, sides: tuple[str, ...], call: Call) -> list[Credential]:
        found = [each for each in self._kept(system, owner) if each["parentType"] in sides]
        if not found:
            raise NotFound(f"No credentials found for internal user {owner} on system {system['id']}")
        return [_entry(system, each, call) for each in found]

    def _kept(self, system: System, owner: str | None = None) -> list[Credential]:
        below = system["uuid"] if owner is None else f"{system['uuid']}/{owner}"
        return [credential for _, credential in self.store.below(_KIND, below)]

    # Storing

    def updateCredentials(self, call: Call, *, systemId: str, body: Any) -> Reply:
        """Replace the system's own credential; of the internal user, when the body names one."""
        owner = body.get("internalUsername") if isinstance(body, dict) else None
        if owner:
            return self._store(call, systemId, body, owner=_internal_user(owner))
        with self.store.transaction():
            system = self.managed_system(systemId, call.user)
            auth = check_credential(Fields(body, within="credential"))
            sides = {side: {**system[side], "auth": auth} for side in _sides(system)}
            self.keep_system({**system, **sides}, "AUTH_CONFIG_UPDATE", call.user)
        return Reply(outcome="created")

    def updateCredentialsForInternalUser(self, call: Call, *, systemId: str, internalUsername: str, body: Any) -> Reply:
        return self._store(call, systemId, body, owner=_internal_user(internalUsername))

    def updateCredentialsForInternalUserByType(
        self, call: Call, *, systemId: str, internalUsername: str, credentialType: str, body: Any
    ) -> Reply:
        return self._store(call, systemId, body, owner=_internal_user(internalUsername), side=credentialType)

    def _store(self, call: Call, system_id: str, body: Any, *, owner: str, side: str | None = None) -> Reply:
        now = self.clock.now()
        with self.store.transaction():
            system = self.managed_system(system_id, call.user)
            auth = check_credential(Fields(body, within="credential"))
            for parent in _side(system, side) if side else _sides(system):
                kept = {**auth, "parentType": parent, "internalUsername": owner, "created": iso(now)}
                self.store.put(_KIND, f"{system['uuid']}/{owner}/{parent}", kept, updated=now)
            self._note_credential(system, "CREDENTIAL_UPDATE", call.user, f"Credential stored for {owner}")
        return Reply(outcome="created")

    # Deleting

    def deleteCredentials(self, call: Call, *, systemId: str) -> None:
        """Delete those of all internal users; the system's own stays, or nobody could use it."""
        with self.store.transaction():
            system = self.managed_system(systemId, call.user)
            self.forget_credentials(system)
            self._note_credential(system, "CREDENTIAL_REMOVE", call.user, "All credentials of internal users removed")

    def deleteCredentialsForInternalUser(self, call: Call, *, systemId: str, internalUsername: str) -> None:
        self._remove(call, systemId, _internal_user(internalUsername), None)

    def deleteCredentialsForInternalUserByType(
        self, call: Call, *, systemId: str, internalUsername: str, credentialType: str
    ) -> None:
        self._remove(call, systemId, _internal_user(internalUsername), credentialType)

    def forget_credentials(self, system: System) -> None:
        """Delete the credentials of all internal users of a system."""
        for key, _ in self.store.below(_KIND, system["uuid"]):
            self.store.delete(_KIND, key)

    def _remove(self, call: Call, system_id: str, owner: str, side: str | None) -> None:
        with self.store.transaction():
            system = self.managed_system(system_id, call.user)
            sides = _side(system, side) if side else _BOTH
            removed = [self.store.delete(_KIND, f"{system['uuid']}/{owner}/{each}") for each in sides]
            if not any(removed):
                raise NotFound(f"No credentials found for internal user {owner} on system {system_id}")
            self._note_credential(system, "CREDENTIAL_REMOVE", call.user, f"Credential of {owner} removed")

    def _note_credential(self, system: System, event: str, user: str, description: str) -> None:
        self.store.add_event(system["uuid"], event, description, created=self.clock.now(), created_by=user)


def _internal_user(name: Any) -> str:
    if not isinstance(name, str) or not _INTERNAL_USER.fullmatch(name):
        raise BadRequest(
            f"The internal user {name!r:.80} must be 1 to 64 letters, digits or . _ @ -, the first not a sign."
        )
    return name


def _sides(system: System) -> tuple[str, ...]:
    return _BOTH if system["type"] == "EXECUTION" else ("storage",)


def _side(system: System, word: str) -> tuple[str, ...]:
    """Return the one side that an address names; :raises BadRequest: the system has none of that name."""
    if word.lower() not in _sides(system):
        known = " or ".join(_sides(system))
        raise BadRequest(f"The credentials of the system {system['id']} are for {known}, not for {word!r:.80}.")
    return (word.lower(),)


def _own(system: System) -> list[Credential]:
    """Return the credentials of the system itself; a cloned one has none."""
    kept = {"internalUsername": None, "created": system["lastModified"]}
    return [{**system[side]["auth"], "parentType": side, **kept} for side in _sides(system) if "auth" in system[side]]


def _entry(system: System, credential: Credential, call: Call) -> Credential:
    parent = f"systems/v2/{system['id']}"
    owner = credential["internalUsername"]
    below = f"/{quote(owner, safe='')}/{credential['parentType']}" if owner else ""
    return {
        "parentType": credential["parentType"],
        "default": owner is None,
        "internalUsername": owner,
        "type": credential["type"],
        "created": credential["created"],
        "valid": True,
        "expirationDate": None,
        "server": credential.get("server"),
        "_links": {"self": call.link(f"{parent}/credentials{below}"), "parent": call.link(parent)},
    }
