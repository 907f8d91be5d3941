"""Who else is here: profiles of the tenant's users."""

from __future__ import annotations

import time
import zlib
from typing import Any
from urllib.parse import quote

from ..api import BadRequest, Call, Forbidden, NotFound, Reply
from ..events import Subject
from ..roles import ACCOUNT_MANAGER
from . import Service, brief

# Of the core service, in its spelling; what a user has none of is empty.
FACTS = (
    *("email", "firstName", "lastName", "position", "institution", "phone", "fax", "researchArea", "department"),
    *("city", "state", "country", "gender"),
)
_SPELLINGS = {"first_name": "firstName", "last_name": "lastName"}
_NAME_TERMS = ("name", "first_name", "last_name", "full_name", "firstName", "lastName", "fullName")


class Profiles(Service):
    """Profiles in both shapes that tenants answer: the core service's camelCase and the directory's snake_case."""

    name = "profiles"

    def subject(self, uuid: str) -> Subject | None:
        name = self.state.accounts.name_of(uuid)
        if name is None:
            return None
        address = f"profiles/v2/{quote(name, safe='')}"
        return Subject(uuid, address, lambda user: True, lambda call: self.listByUsername(call, username=name))

    def list(self, call: Call, **terms: str) -> Any:
        """Users who match all terms; without a term nobody. The name terms all search the full name."""
        known = {**{key: value for key, value in call.query.items() if key in _NAME_TERMS}, **terms}
        if not any(known.values()):
            return []
        profiles = (self._facts(name) for name in self.state.accounts.users())
        return [_record(call, each) for each in profiles if all(_matches(each, *term) for term in known.items())]

    @brief
    def get(self, call: Call) -> dict[str, Any]:
        """The caller."""
        return self.listByUsername(call, username=call.user)

    @brief
    def listByUsername(self, call: Call, *, username: str) -> dict[str, Any]:
        """One user; ``me`` is the caller."""
        return _record(call, self._facts(call.user if username == "me" else username))

    def create(self, call: Call, *, body: Any) -> Reply:
        """Add a user; for account managers. ``username``, ``password`` and ``email`` are required."""
        self._check_manager(call)
        username, password, _ = (_required(body, name) for name in ("username", "password", "email"))
        self.state.accounts.check_new(username)
        self.state.accounts.add_user(username, password, facts=_sent_facts(body))
        return Reply(_record(call, self._facts(username)), message="User created successfully.")

    def update(self, call: Call, *, username: str, body: Any) -> Reply:
        """Change a user's facts, or password; for account managers."""
        self._check_manager(call, username)
        password = body.get("password") if isinstance(body, dict) else None
        if password is not None and not (isinstance(password, str) and password):
            raise BadRequest("password must be text")
        self.state.accounts.update(username, _sent_facts(body), password=password)
        return Reply(_record(call, self._facts(username)), message="User updated successfully.")

    def delete(self, call: Call, *, username: str) -> Reply:
        """Remove a user; for account managers, who cannot remove themselves."""
        self._check_manager(call, username)
        if username == call.user:
            raise BadRequest("You cannot delete your own account.")
        self.state.accounts.retire_user(username)
        return Reply(message="User deleted successfully.")

    def _check_manager(self, call: Call, username: str | None = None) -> None:
        """Refuse who does not manage accounts; those that have roles are for administrators to manage."""
        accounts = self.state.accounts
        if not call.admin and ACCOUNT_MANAGER not in accounts.roles.of(call.user):
            raise Forbidden("Managing accounts takes the role of an account manager.")
        if username is None:
            return
        self._facts(username)
        if not call.admin and (accounts.is_admin(username) or accounts.roles.of(username)):
            raise Forbidden(f"{username} has roles: only an administrator of the tenant may change the account.")

    def _facts(self, username: str) -> dict[str, Any]:
        facts = self.state.accounts.profile(username)
        if facts is None:
            raise NotFound(f"No user found matching {username}")
        return facts


def _matches(facts: dict[str, Any], name: str, value: str) -> bool:
    sought = value.strip().lower()
    if name in _NAME_TERMS:
        return sought in _full_name(facts).lower()
    if name == "username":
        return facts["username"].lower() in [each.strip() for each in sought.split(",")]
    if name == "status":
        return sought == "active"  # the only status an account has here
    return str(facts.get(name, "")).lower() == sought


def _record(call: Call, facts: dict[str, Any]) -> dict[str, Any]:
    own = f"profiles/v2/{facts['username']}"
    core = {"username": facts["username"], **{name: facts.get(name, "") for name in FACTS}}
    directory = {
        "create_time": time.strftime("%Y%m%d%H%M%SZ", time.gmtime(facts["created"])),
        "first_name": core["firstName"],
        "full_name": _full_name(facts),
        "last_name": core["lastName"],
        "mobile_phone": "",
        "nonce": "",
        "status": "Active",
        "uid": _uid(facts["username"]),
    }
    links = {"self": call.link(own), "users": call.link(f"{own}/users")}
    return {**core, **directory, "uuid": facts["uuid"], "_links": links}


def _full_name(facts: dict[str, Any]) -> str:
    given = " ".join(part for part in (facts.get("firstName"), facts.get("lastName")) if part)
    return given or str(facts["username"])


def _uid(username: str) -> int:
    """Return a number that stays the user's: directories answer one, the tenant keeps none."""
    return 100_000 + zlib.crc32(username.encode()) % 900_000


def _sent_facts(body: Any) -> dict[str, str]:
    if not isinstance(body, dict):
        raise BadRequest("The profile must be an object")
    sent = {_SPELLINGS.get(key, key): value for key, value in body.items()}
    facts = {name: sent[name] for name in FACTS if sent.get(name) is not None}
    wrong = [name for name, value in facts.items() if not isinstance(value, str)]
    if wrong:
        raise BadRequest(f"{', '.join(wrong)} must be text")
    return facts


def _required(body: Any, name: str) -> str:
    value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, str) or not value:
        raise BadRequest(f"{name} is required")
    return value
