"""Storage and execution systems: what they are, who may use them, which one is the default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .. import macros
from ..api import BadRequest, Call, Forbidden, Listing, NotFound, Reply, Unsupported
from ..clock import iso
from ..events import Subject
from ..fields import Fields
from ..remembered import Remembered
from ..store import GRANTS, new_uuid
from . import brief
from .built_in_systems import BUILT_IN
from .system_answers import SEARCH, full, role_entry, summary
from .system_credentials import SystemCredentials
from .system_description import check_id, read

if TYPE_CHECKING:
    from ..accounts import Accounts
    from ..disk import Disk
    from ..state import State

System = dict[str, Any]
Found = list[System]  # written out here, since in the class ``list`` is an operation

_ROLES = ("NONE", "GUEST", "USER", "PUBLISHER", "ADMIN", "OWNER")  # each may do what those before it may
_EVERYBODY = "world"
_ACTIONS = "publish, setDefault, unsetDefault, setGlobalDefault, unsetGlobalDefault, enable, disable, and clone"


class Systems(SystemCredentials):
    """The operations of resources/systems.yaml."""

    name = "systems"

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self._documents = Remembered(self.store, ("system",), self._read_document)
        self._own_defaults = Remembered(self.store, ("default-system",), self._own_default_id)
        self._global_defaults = Remembered(self.store, ("system",), self._global_default_id)
        self._known_roles = Remembered(self.store, ("user", GRANTS), self._granted_role)

    @property
    def _accounts(self) -> Accounts:
        return self.state.accounts

    @property
    def _disk(self) -> Disk:
        return self.state.disk

    # What the other services ask

    def find(self, system_id: str, user: str) -> System:
        """
        Return the system's document, if the user may see it; ``available`` and ``status`` are the caller's to check.

        :raises NotFound: there is none, or it was deleted.
        :raises Forbidden: the user has no role on it.
        """
        system = self.document(system_id)
        if self.role_of(system, user) == "NONE":
            raise Forbidden("Permission denied. You do not have permission to view this system")
        return system

    def document(self, system_id: str) -> System:
        """Return the system's document, whoever asks; :raises NotFound: there is none, or it was deleted."""
        system = self._documents.get(system_id)
        if system is None or system["deleted"]:
            raise NotFound(f"No system found matching {system_id}")
        return system

    def _read_document(self, system_id: str) -> System | None:
        return self.store.get("system", system_id)

    def role_of(self, system: System, user: str) -> str:
        """Return the user's role: OWNER, ADMIN, PUBLISHER, USER, GUEST or NONE."""
        if user == system["owner"]:
            return "OWNER"
        return self._known_roles.get((user, system["uuid"], system["type"], system["public"])) or "NONE"

    def _granted_role(self, of: tuple[str, str, str, bool]) -> str:
        user, uuid, kind, is_public = of
        if self._accounts.is_admin(user):
            return "ADMIN"
        grants = self.store.grants(uuid)
        role = _highest(grants.get(user, "NONE"), _role_of_all(kind, is_public, grants))
        return "USER" if role == "PUBLISHER" and kind == "STORAGE" else role

    def default_for(self, user: str, kind: str) -> System:
        """
        Return the user's default system of a kind, else the tenant's.

        :param kind: "STORAGE" or "EXECUTION".
        :raises NotFound: there is neither.
        """
        system = self._own_default(user, kind) or self._global_default(kind)
        if system is None:
            raise NotFound(
                f"No default {kind.lower()} system found. Please register a system and set it as your default. "
            )
        return system

    def manages(self, system: System, user: str) -> bool:
        """Return whether the user has the role ADMIN on the system."""
        return _reaches(self.role_of(system, user), "ADMIN")

    def mark(self, system_id: str, status: str, *, by: str) -> bool:
        """Give a system the status UP or DOWN that a check has found; return whether it had the other one.

        A system in maintenance stays so; nothing changes either when ``by`` no longer manages the system.
        """
        with self.store.transaction():
            system = self.store.get("system", system_id)
            if system is None or not self.manages(system, by) or {system["status"], status} != {"UP", "DOWN"}:
                return False
            self.keep_system({**system, "status": status}, "STATUS_UPDATE", by, f"A check found the system {status}")
        return True

    def subject(self, uuid: str) -> Subject | None:
        found = self.store.by_uuid("system", uuid)
        return self.subject_of(found[1]) if found and not found[1]["deleted"] else None

    def subject_of(self, system: System) -> Subject:
        """Return the system as events are about it."""
        return Subject(
            system["uuid"],
            f"systems/v2/{system['id']}",
            lambda user: self.role_of(system, user) != "NONE",
            lambda call: self._answer(system, call),
        )

    def create_built_in(self, *, owner: str) -> None:
        """
        Create the public storage and execution system of a fresh tenant; each is its kind's global default.

        Everybody may register apps on the execution system: a laptop has no administrator to ask for that.
        """
        systems = {system["type"]: system for system in (self.create_public(each, owner=owner) for each in BUILT_IN)}
        self.store.grant(systems["EXECUTION"]["uuid"], _EVERYBODY, "PUBLISHER")

    def create_public(self, description: dict[str, Any], *, owner: str) -> System:
        """Create a system as systems.add does, make it public and its kind's global default."""
        with self.store.transaction():
            system = self._create(read(description), owner=owner)
            return self._set_global_default(self._publish(system, owner), owner)

    def _own_default(self, user: str, kind: str) -> System | None:
        chosen = self._own_defaults.get(_default_key(user, kind))
        system = self._documents.get(chosen) if chosen else None
        usable = system and system["available"] and self.role_of(system, user) != "NONE"
        return system if usable else None

    def _own_default_id(self, key: str) -> str:
        chosen = self.store.get("default-system", key)
        return str(chosen["id"]) if chosen else ""

    def _global_default_id(self, kind: str) -> str | None:
        found = self._global_default(kind)
        return found["id"] if found else None

    def _global_default(self, kind: str) -> System | None:
        systems = (system for system in self.store.all("system") if system["type"] == kind)
        return next((system for system in systems if system["globalDefault"] and system["available"]), None)

    # Reading

    def list(
        self, call: Call, *, type: str | None = None, default: bool | None = None, public: bool | None = None
    ) -> Listing:
        if type and type.upper() not in ("STORAGE", "EXECUTION"):
            raise NotFound(f"No systems of type '{type}': there are STORAGE and EXECUTION.")
        wanted = {"type": type and type.upper(), "default": default, "public": public}
        systems = (system for system in self._visible(call.user) if _matches(system, wanted))
        return Listing(systems, lambda system: summary(system, call), lambda system: full(system, call), SEARCH)

    @brief
    def get(self, call: Call, *, systemId: str) -> dict[str, Any]:
        return self._answer(self.find(systemId, call.user), call)

    def _visible(self, user: str) -> Found:
        defaults = self._defaults_of(user)
        systems = [system for system in self.store.all("system") if system["available"]]
        seen = [system for system in systems if self.role_of(system, user) != "NONE"]
        return [{**system, "default": system["id"] in defaults} for system in seen]

    def _defaults_of(self, user: str) -> set[str]:
        kinds = ("STORAGE", "EXECUTION")
        found = [self._own_default(user, kind) or self._global_default(kind) for kind in kinds]
        return {system["id"] for system in found if system}

    def _answer(self, system: System, call: Call) -> dict[str, Any]:
        own = self._own_default(call.user, system["type"])
        default = own["id"] if own else self._global_defaults.get(system["type"])
        return full({**system, "default": system["id"] == default}, call)

    # Creating, updating, deleting

    def add(self, call: Call, *, body: Any) -> dict[str, Any]:
        described = read(body)
        with self.store.transaction():
            known = self.store.get("system", described["id"])
            if known is None:
                return self._answer(self._create(described, owner=call.user), call)
            _refuse_taken(known, call.user)
            return self._answer(self._replace(known, described, call.user), call)

    def update(self, call: Call, *, systemId: str, body: Any) -> dict[str, Any]:
        with self.store.transaction():
            known = self.managed_system(systemId, call.user)
            described = read(body)
            if described["id"].lower() != systemId.lower():
                raise BadRequest(f"'id' must be '{systemId}', the system of the address; got '{described['id']}'.")
            return self._answer(self._replace(known, described, call.user), call)

    def delete(self, call: Call, *, systemId: str) -> None:
        with self.store.transaction():
            system = self.find(systemId, call.user)
            if system["public"]:
                raise Unsupported(f"The public system '{systemId}' cannot be deleted. Unpublish it first.")
            self.managed_system(systemId, call.user)
            self.keep_system({**system, "available": False, "deleted": True}, "DELETED", call.user)

    def _create(self, described: dict[str, Any], *, owner: str) -> System:
        system = {
            **described,
            "uuid": new_uuid("006"),
            "owner": owner,
            "revision": 1,
            "public": False,
            "globalDefault": False,
            "available": True,
            "deleted": False,
            "created": iso(self.clock.now()),
        }
        self._disk.prepare(system)
        return self.keep_system(system, "CREATED", owner)

    def _replace(self, known: System, described: dict[str, Any], user: str) -> System:
        if known["public"]:
            raise Forbidden(f"Public systems cannot be updated. Unpublish '{known['id']}' first.")
        if not known["available"]:
            raise BadRequest(f"The system '{known['id']}' is not available. Enable it first.")
        if described["type"] != known["type"]:
            raise BadRequest(f"'type' of '{known['id']}' is {known['type']} and cannot change.")
        system = {**known, **described, "id": known["id"], "revision": known["revision"] + 1}
        self._disk.prepare(system)
        return self.keep_system(system, "UPDATED", user)

    def keep_system(self, system: System, event: str, user: str, description: str = "") -> System:
        now = self.clock.now()
        system = {**system, "lastModified": iso(now)}
        self.store.put("system", system["id"], system, updated=now)
        self._note(system, event, user, description)
        return system

    def _note(
        self, system: System, event: str, user: str, description: str = "", *, told: Mapping[str, str] | None = None
    ) -> None:
        text = description or f"{event} by {user}"
        self.store.add_event(system["uuid"], event, text, created=self.clock.now(), created_by=user)
        self.state.events.publish(self.subject_of(system), event, by=user, macros=told)

    def managed_system(self, system_id: str, user: str) -> System:
        system = self.find(system_id, user)
        if not self.manages(system, user):
            raise Forbidden(f"Permission denied. You do not have permission to manage the system {system_id}")
        return system

    # Actions

    def manage(self, call: Call, *, systemId: str, body: Any) -> dict[str, Any] | None:
        action = _field(body, "action").lower()
        actions: dict[str, Callable[[System, str], System]] = {
            "publish": self._publish,
            "unpublish": self._unpublish,
            "setdefault": self._set_default,
            "unsetdefault": self._unset_default,
            "setglobaldefault": self._set_global_default,
            "unsetglobaldefault": self._unset_global_default,
            "clone": lambda system, user: self._clone(system, user, new_id=_field(body, "id")),
            "enable": self._enable,
            "disable": self._disable,
        }
        if action == "erase":
            self._erase(systemId, call.user)
            return None
        with self.store.transaction():
            if action not in actions:
                raise BadRequest(f"Unrecognized action. Valid actions are: {_ACTIONS}.")
            return self._answer(actions[action](self._addressed(systemId, action, call.user), call.user), call)

    def _addressed(self, system_id: str, action: str, user: str) -> System:
        deleted = self.store.get("system", system_id) if action == "enable" else None
        if deleted and deleted["deleted"] and self.manages(deleted, user):
            return deleted
        return self.find(system_id, user)

    def _publish(self, system: System, user: str) -> System:
        self._require_tenant_admin(user, "publish")
        if system["public"]:
            raise BadRequest(f"The system '{system['id']}' is already public.")
        return self.keep_system({**system, "public": True}, "PUBLISH", user)

    def _unpublish(self, system: System, user: str) -> System:
        self._require_tenant_admin(user, "unpublish")
        if not system["public"]:
            raise BadRequest(f"The system '{system['id']}' is not public.")
        return self.keep_system({**system, "public": False, "globalDefault": False}, "UNPUBLISH", user)

    def _set_default(self, system: System, user: str) -> System:
        # A public system becomes a personal default only in place of another one, as on the real server.
        if system["public"] and self._own_default(user, system["type"]) is None:
            return system
        self._refuse_unavailable(system)
        self.store.put(
            "default-system", _default_key(user, system["type"]), {"id": system["id"]}, updated=self.clock.now()
        )
        self._note(system, "SET_USER_DEFAULT", user)
        return system

    def _unset_default(self, system: System, user: str) -> System:
        chosen = self.store.get("default-system", _default_key(user, system["type"]))
        if chosen and chosen["id"] == system["id"]:
            self.store.delete("default-system", _default_key(user, system["type"]))
            self._note(system, "UNSET_USER_DEFAULT", user)
        return system

    def _set_global_default(self, system: System, user: str) -> System:
        self._require_tenant_admin(user, "setGlobalDefault")
        self._refuse_unavailable(system)
        if not system["public"]:
            raise BadRequest(f"The system '{system['id']}' is not public: publish it first.")
        for other in list(self.store.all("system")):
            if other["globalDefault"] and other["type"] == system["type"] and other["id"] != system["id"]:
                self._unset_global_default(other, user)
        return self.keep_system({**system, "globalDefault": True}, "SET_PUBLIC_DEFAULT", user)

    def _unset_global_default(self, system: System, user: str) -> System:
        self._require_tenant_admin(user, "unsetGlobalDefault")
        if not system["globalDefault"]:
            raise BadRequest(f"The system '{system['id']}' is not the tenant's default.")
        return self.keep_system({**system, "globalDefault": False}, "UNSET_PUBLIC_DEFAULT", user)

    def _clone(self, system: System, user: str, *, new_id: str) -> System:
        if not _reaches(self.role_of(system, user), "USER"):
            raise Forbidden(f"Permission denied. You do not have permission to clone the system {system['id']}")
        if self.store.get("system", check_id(new_id, Fields({}, within="clone"))):
            raise BadRequest(f"'id' must be a new one: '{new_id}' is taken.")
        described = {**system, "id": new_id, "storage": _without_auth(system["storage"])}
        if "login" in system:
            described["login"] = _without_auth(system["login"])
        return self._create(described, owner=user)

    def _enable(self, system: System, user: str) -> System:
        self._managed_already(system, user)
        return self.keep_system({**system, "available": True, "deleted": False}, "ENABLED", user)

    def _disable(self, system: System, user: str) -> System:
        self._managed_already(system, user)
        return self.keep_system({**system, "available": False}, "DISABLED", user)

    def _erase(self, system_id: str, user: str) -> None:
        self._require_tenant_admin(user, "erase")
        with self.store.transaction():
            system = self.store.get("system", system_id)
            if system is None:
                raise NotFound(f"No system found matching {system_id}")
            self.store.delete("system", system_id)
            self.store.revoke_all(system["uuid"])
            self.forget_credentials(system)
            self._note(system, "ERASED", user)
            # Its files go too: the id is free again, and whoever takes it must not find them.
            taken = self.state.services["files"].take_system(system)  # type: ignore[attr-defined]
        self._disk.discard(taken)  # many files take a while, in which others want to write to the store

    def _managed_already(self, system: System, user: str) -> None:
        if not self.manages(system, user):
            raise Forbidden(f"Permission denied. You do not have permission to manage the system {system['id']}")

    def _require_tenant_admin(self, user: str, action: str) -> None:
        if not self._accounts.is_admin(user):
            raise Forbidden(f"Permission denied. Only an administrator of the tenant may {action} a system.")

    def _refuse_unavailable(self, system: System) -> None:
        if not system["available"]:
            raise BadRequest(f"The system '{system['id']}' is not available. Enable it first.")

    # Roles

    def listRoles(self, call: Call, *, systemId: str) -> Listing:
        system = self.find(systemId, call.user)
        roles = self._roles(system) if self.manages(system, call.user) else self._role(system, call.user)
        return Listing(
            [{"username": user, "role": role} for user, role in roles.items()],
            lambda role: role_entry(system, role, call),
            search={"username": "username", "role": "role"},
        )

    def getRoleForUser(self, call: Call, *, systemId: str, username: str) -> Any:
        system = self.find(systemId, call.user)
        manages = self.manages(system, call.user)
        if not manages and username != call.user:
            raise NotFound(f"No roles found for user {username}")
        entry = role_entry(system, {"username": username, "role": self._role(system, username)[username]}, call)
        return entry if manages else [entry]  # an array for those who do not manage: so is the real server

    def updateRole(self, call: Call, *, systemId: str, body: Any) -> Reply:
        return self._set_role(call, systemId, username=_field(body, "username"), role=_role_word(body))

    def updateRoleForUser(self, call: Call, *, systemId: str, username: str, body: Any) -> Reply:
        return self._set_role(call, systemId, username=username, role=_role_word(body))

    def deleteRoles(self, call: Call, *, systemId: str) -> None:
        with self.store.transaction():
            system = self._role_managed(systemId, call.user)
            self.store.revoke_all(system["uuid"])
            self._note(system, "ROLES_REVOKE", call.user, "All roles revoked")

    def deleteRoleForUser(self, call: Call, *, systemId: str, username: str) -> None:
        with self.store.transaction():
            system = self._role_managed(systemId, call.user)
            if username not in self.store.grants(system["uuid"]):
                raise NotFound(f"No roles found for user {username}")
            self._revoke(system, username, call.user)

    def _set_role(self, call: Call, system_id: str, *, username: str, role: str) -> Reply:
        with self.store.transaction():
            system = self._role_managed(system_id, call.user)
            _refuse_role(system, username, role)
            if role == "NONE":
                self._revoke(system, username, call.user)
                return Reply(outcome="ok")
            self.store.grant(system["uuid"], username, role)
            told = macros.of_role(username, role)
            self._note(system, "ROLES_GRANT", call.user, f"{role} role granted to {username}", told=told)
        return Reply([role_entry(system, {"username": username, "role": role}, call)], outcome="created")

    def _revoke(self, system: System, username: str, user: str) -> None:
        self.store.grant(system["uuid"], username, "NONE")
        told = macros.of_role(username, "NONE")
        self._note(system, "ROLES_REVOKE", user, f"Role revoked from {username}", told=told)

    def _role_managed(self, system_id: str, user: str) -> System:
        system = self.find(system_id, user)
        if system["public"] and not self.manages(system, user):
            raise Unsupported(f"Roles of the public system '{system_id}' are its administrators' to change.")
        self._managed_already(system, user)
        return system

    def _roles(self, system: System) -> dict[str, str]:
        return {system["owner"]: "OWNER", **self.store.grants(system["uuid"])}

    def _role(self, system: System, username: str) -> dict[str, str]:
        role = self.role_of(system, username) if self._accounts.exists(username) else "NONE"
        role = self._roles(system).get(username, role)
        if role == "NONE":
            raise NotFound(f"No roles found for user {username}")
        return {username: role}


def _default_key(user: str, kind: str) -> str:
    return f"{kind}/{user}"


def _role_of_all(kind: str, is_public: bool, grants: dict[str, str]) -> str:
    if not is_public:
        return grants.get(_EVERYBODY, "NONE")
    if kind == "STORAGE" and _EVERYBODY in grants:
        return "GUEST"
    return _highest("USER", grants.get(_EVERYBODY, "NONE"))


def _highest(*roles: str) -> str:
    return max(roles, key=_ROLES.index)


def _reaches(role: str, needed: str) -> bool:
    return _ROLES.index(role) >= _ROLES.index(needed)


def _without_auth(access: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in access.items() if name != "auth"}


def _matches(system: System, wanted: dict[str, Any]) -> bool:
    return all(value is None or system[name] == value for name, value in wanted.items())


def _field(body: Any, name: str) -> str:
    """Return a text field of a request; :raises BadRequest: it is not there."""
    value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, str) or not value.strip():
        raise BadRequest(f"No {name} given. The body needs '{name}', a text.")
    return value.strip()


def _role_word(body: Any) -> str:
    """Return the role of a request in upper case; an absent or empty one is NONE."""
    role = (body.get("role") if isinstance(body, dict) else "") or "NONE"
    if not isinstance(role, str) or role.upper() not in _ROLES:
        raise BadRequest("Invalid role value. Valid values are: NONE, USER, PUBLISHER, OWNER, ADMIN")
    return role.upper()


def _refuse_role(system: System, username: str, role: str) -> None:
    if username == system["owner"]:
        raise BadRequest(f"The role of the owner, '{username}', cannot change.")
    if role == "PUBLISHER" and system["type"] == "STORAGE":
        raise BadRequest("The role PUBLISHER belongs to execution systems; this is a storage system.")


def _refuse_taken(known: System, user: str) -> None:
    if known["deleted"]:
        raise BadRequest(f"'id' must be a new one: '{known['id']}' was deleted, and stays taken until it is erased.")
    if known["owner"] != user:
        raise Forbidden(f"Permission denied. The system '{known['id']}' is another user's.")
