"""Which place of which system a request means, and what its caller may do there."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from .api import BadRequest, Forbidden, NotFound
from .disk import is_in, refuse_impossible
from .file_records import FileRecords
from .pems import ALL, READ, WORDS, WRITE

if TYPE_CHECKING:
    from .services.systems import Systems
    from .state import State

_RIGHTS_OF_ROLE = {"OWNER": ALL, "ADMIN": ALL, "PUBLISHER": READ | WRITE, "USER": READ | WRITE, "GUEST": READ}
_WITHOUT_HOME = ("NONE", "GUEST")
_NAMES_OF_RIGHTS = {READ: "read", WRITE: "write", READ | WRITE: "read and write", ALL: "manage"}


@dataclasses.dataclass(frozen=True)
class Target:
    """An item of a system, as one user addresses it; it need not exist."""

    user: str
    system: dict[str, Any]
    path: str  # absolute below rootDir, as the user reads it
    real: Path  # on disk, links resolved

    @property
    def name(self) -> str:
        """The last name of the path; of rootDir, a slash."""
        return self.path.rpartition("/")[2] or "/"

    def is_root(self) -> bool:
        """Return whether it is the system's rootDir."""
        return self.path == "/"


class FileAccess:
    """Finds targets and answers what users may do with them."""

    def __init__(self, state: State, records: FileRecords) -> None:
        self._state = state
        self._disk = state.disk
        self._records = records

    @property
    def _systems(self) -> Systems:
        return cast("Systems", self._state.services["systems"])

    # Targets

    def target(self, user: str, system_id: str | None, path: str, *, follow: bool = True) -> Target:
        """
        Return the item a path names on a system, None or empty: on the user's default storage system.

        :param follow: False when the operation acts on a link itself, not on what it points to.
        :raises NotFound: there is no such system, or none the user may know of, or the path leaves it.
        :raises BadRequest: the system is not up, or no file can have that name.
        """
        return self.on(user, self._usable(user, system_id), path, follow=follow)

    def on(self, user: str, system: dict[str, Any], path: str, *, follow: bool = True) -> Target:
        """Return the item a path names on a system; homes are made at their first use."""
        self._prepare_homes(user, system)
        return self._at(user, system, path, follow=follow)

    def _at(self, user: str, system: dict[str, Any], path: str, *, follow: bool = True) -> Target:
        place, real = self._disk.resolve(system, path, follow=follow)
        return Target(user, system, self._disk.api_path(system, place), real)

    def child(self, folder: Target, name: str) -> Target:
        """Return the item of that name in a folder, itself, should it be a link; :raises BadRequest: no such names."""
        path = f"{folder.path.rstrip('/')}/{name}"
        if name in ("", ".", "..") or "/" in name:
            return self._at(folder.user, folder.system, path, follow=False)
        real = folder.real / name  # the folder was found to be of the system: nothing is to be resolved again
        refuse_impossible(real)
        return Target(folder.user, folder.system, path, real)

    def below(self, folder: Target, path: str) -> Target:
        """Return the item a path names from a folder on."""
        return self._at(folder.user, folder.system, f"{folder.path.rstrip('/')}/{path.lstrip('/')}")

    def parent(self, target: Target) -> Target:
        """Return the folder a target is in; of rootDir, rootDir."""
        return self._at(target.user, target.system, target.path.rpartition("/")[0] or "/")

    def _usable(self, user: str, system_id: str | None) -> dict[str, Any]:
        system = self._known(user, system_id)
        if not system["available"]:
            raise NotFound(f"No system found for user with id {system['id']}")
        if system["status"] != "UP":
            raise BadRequest(f"System {system['id']} is {system['status']}")
        return system

    def _known(self, user: str, system_id: str | None) -> dict[str, Any]:
        if not system_id:
            return self._systems.default_for(user, "STORAGE")
        try:
            return self._systems.document(system_id)
        except NotFound:
            raise NotFound(f"No system found for user with id {system_id}") from None

    def _prepare_homes(self, user: str, system: dict[str, Any]) -> None:
        home = self._own_home(user, system)
        if home is not None and home.is_dir():
            return
        if not self._disk.home_of(system).is_dir():
            self._disk.prepare(system)
        if home is not None:
            self._disk.make_folders(home)

    def _own_home(self, user: str, system: dict[str, Any]) -> Path | None:
        """Return the folder the user owns on a public storage system; None where there is none."""
        shared = system["public"] and system["type"] == "STORAGE" and self._role(user, system) not in _WITHOUT_HOME
        if not shared or "/" in user or user in ("", ".", ".."):
            return None
        return self._disk.home_of(system) / user

    def _role(self, user: str, system: dict[str, Any]) -> str:
        return self._systems.role_of(system, user)

    # Rights

    def rights(self, target: Target) -> int:
        """Return the bits the target's user has on it: by role, by owning it, by grants."""
        implied = self._implied(target.user, target.system, target.real)
        return implied if implied == ALL else implied | self._records.rights(target.real, target.user)

    def rights_below(self, target: Target) -> int:
        """Return the bits on what is in a folder and has no grants of its own."""
        implied = self._implied(target.user, target.system, target.real)
        return implied if implied == ALL else implied | self._records.rights_below(target.real, target.user)

    def entry_rights(self, target: Target, *, below: int) -> int:
        """Return the bits on an item of a folder whose :meth:`rights_below` are known."""
        implied = self._implied(target.user, target.system, target.real)
        if implied == ALL:
            return ALL
        return implied | self._records.entry_rights(target.real, target.user, inherited=below)

    def word(self, target: Target) -> str:
        """Return the permission word of the target's user."""
        return WORDS[self.rights(target)]

    def owner(self, target: Target) -> str:
        """Return who owns the item by where it is: a user below his home on a public system, else its owner."""
        system, home = target.system, self._disk.home_of(target.system)
        if system["public"] and system["type"] == "STORAGE" and home != target.real and is_in(target.real, home):
            return target.real.parts[len(home.parts)]
        return str(system["owner"])

    def is_shared_home(self, target: Target) -> bool:
        """Return whether it is the folder of all homes: everybody may list it and sees what he may read."""
        system = target.system
        return system["public"] and system["type"] == "STORAGE" and target.real == self._disk.home_of(system)

    def require(self, target: Target, needed: int) -> None:
        """:raises Forbidden: the user lacks one of the needed bits; NotFound: he may not know of the system."""
        if self.rights(target) & needed != needed:
            self._refuse(target, needed)

    def require_writable(self, target: Target) -> None:
        """Require writing: on the item, or, if there is none yet, on the nearest folder above it that exists."""
        above = target
        while not self.rights(above) & WRITE:
            if above.is_root() or above.real.exists():
                self._refuse(target, WRITE)
            above = self.parent(above)

    def require_tree(self, target: Target, needed: int) -> None:
        """Require bits on an item and, if it is a folder, on everything in it."""
        self.require(target, needed)
        if not target.real.is_dir() or self._implied(target.user, target.system, target.real) & needed == needed:
            return
        below = self.rights_below(target) & self._records.lowest_below(target.real, target.user)
        if below & needed != needed:
            self._refuse(target, needed)

    def _implied(self, user: str, system: dict[str, Any], real: Path) -> int:
        role = self._role(user, system)
        if not system["public"] or role in ("OWNER", "ADMIN", "GUEST", "NONE"):
            return _RIGHTS_OF_ROLE.get(role, 0)
        home = self._own_home(user, system)
        return ALL if home is not None and is_in(real, home) else 0

    def _refuse(self, target: Target, needed: int) -> None:
        system = target.system
        granted = self._records.rights(target.real, target.user)
        if not granted and self._role(target.user, system) == "NONE":
            raise NotFound(f"No resource found for user with system id '{system['id']}'")
        action = _NAMES_OF_RIGHTS.get(needed, "use")
        raise Forbidden(f"Permission denied. You do not have permission to {action} {target.path} on {system['id']}.")
