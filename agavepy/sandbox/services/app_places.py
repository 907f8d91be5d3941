"""Where apps run and where their files are: the systems, folders and files that a description names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from .. import durable, pems
from ..api import ApiError, BadRequest, Forbidden, NotFound

if TYPE_CHECKING:
    from ..state import State
    from .files import Files
    from .systems import Systems

App = dict[str, Any]
System = dict[str, Any]

_PUBLISHERS = ("PUBLISHER", "ADMIN", "OWNER")
_RUNS = {"HPC": ("HPC", "CLI"), "CLI": ("CLI",), "CONDOR": ("CONDOR",), "ATMOSPHERE": ("CLI",)}  # system → app types
_PUBLIC_APPS = "public/apps"  # on a system without a publicAppsDir


class AppPlaces:
    """
    Checks and copies for the apps service.

    :raises BadRequest: by every method: a system or a file is not there, or not fit.
    :raises Forbidden: it is there, but not the user's to use so.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    @property
    def _systems(self) -> Systems:
        return cast("Systems", self._state.services["systems"])

    @property
    def _files(self) -> Files:
        return cast("Files", self._state.services["files"])

    # Checks

    def check_execution(self, app: App, user: str) -> None:
        system = self._named_system(app["executionSystem"], user, "executionSystem", "EXECUTION")
        if self._systems.role_of(system, user) not in _PUBLISHERS:
            raise Forbidden(f"Permission denied. You need the role PUBLISHER on the system {system['id']} to add apps.")
        if app["executionType"] not in _RUNS[system["executionType"]]:
            raise BadRequest(
                f"Invalid 'app.executionType' value. The system {system['id']} of type {system['executionType']} runs "
                f"{' and '.join(_RUNS[system['executionType']])} apps; got {app['executionType']}."
            )
        if app["defaultQueue"] and app["defaultQueue"] not in [queue["name"] for queue in system["queues"]]:
            raise BadRequest(f"Invalid 'app.defaultQueue' value. No queue {app['defaultQueue']} on {system['id']}.")

    def _named_system(self, system_id: str, user: str, field: str, kind: str) -> dict[str, Any]:
        try:
            system = self._systems.find(system_id, user)
        except NotFound as unknown:
            raise BadRequest(f"Invalid 'app.{field}' value. {unknown}") from unknown
        if system["type"] != kind:
            raise BadRequest(f"Invalid 'app.{field}' value. {system_id} is no {kind} system.")
        return system

    def check_deployment(self, app: App, user: str) -> None:
        """Find the deployment system, and the three paths on it; the user is who deploys the app from now on."""
        system = self._deployment_system(app, user)
        app.update(deploymentSystem=system["id"], deployedBy=user)
        self._check_path(system, app["deploymentPath"], user, "deploymentPath", folder=True)
        for field in ("templatePath", "testPath"):
            self._check_path(system, f"{app['deploymentPath']}/{app[field]}", user, field, folder=False)

    def _deployment_system(self, app: App, user: str) -> dict[str, Any]:
        if app["deploymentSystem"]:
            return self._named_system(app["deploymentSystem"], user, "deploymentSystem", "STORAGE")
        return self._systems.default_for(user, "STORAGE")

    def _check_path(self, system: dict[str, Any], path: str, user: str, field: str, *, folder: bool) -> None:
        try:
            self._files.require_tree(user, system, path)
        except Forbidden:
            raise Forbidden(
                f"Permission denied. You may not read all of {path} on {system['id']}, the {field}."
            ) from None
        except NotFound:
            raise BadRequest(f"Invalid {field} value. {path} does not exist on {system['id']}.") from None
        place = self._place(system, path)
        if place is None or not place.exists():
            raise BadRequest(f"Invalid {field} value. {path} does not exist on {system['id']}.")
        if place.is_dir() != folder:
            raise BadRequest(f"Invalid {field} value. {path} is {'no' if folder else 'a'} folder on {system['id']}.")

    def require_assets(self, app: App) -> None:
        """
        Refuse to hand out an app's files unless who deployed it may still read all of them.

        Whoever may run or clone an app gets its files, without rights of their own; so these count. The files of
        a public copy, which the tenant itself has made, are anybody's.

        :raises ApiError: they may not.
        """
        user = app.get("deployedBy", app["owner"])
        if user is None:
            return
        system = self._systems.document(app["deploymentSystem"])
        for path in (app["deploymentPath"], f"{app['deploymentPath']}/{app['templatePath']}"):
            self._files.require_tree(user, system, path)

    def _place(self, system: dict[str, Any], path: str) -> Path | None:
        try:
            return self._state.disk.locate(system, path)
        except NotFound:
            return None  # beyond the system's root: for the caller it does not exist

    def check_public(self, app: App, user: str) -> None:
        """Refuse an app that everybody is to run on a system that not everybody may use."""
        system = self._named_system(app["executionSystem"], user, "executionSystem", "EXECUTION")
        if not system["public"]:
            raise BadRequest(f"Only an app on a public execution system can be published; {system['id']} is private.")

    # Copies

    def public_place(self, app: App, app_id: str) -> App:
        """Return where an app's public copy is: deploymentSystem, deploymentPath, and nobody as deployedBy."""
        own = self._systems.document(app["deploymentSystem"])
        # Nobody's default system is the tenant's.
        system = own if own["public"] else self._systems.default_for("", "STORAGE")
        folder = system["storage"].get("publicAppsDir") or _PUBLIC_APPS
        path = f"{folder.rstrip('/')}/{app_id}"
        return {"deploymentSystem": system["id"], "deploymentPath": path, "deployedBy": None}

    def own_place(self, system_id: str | None, path: str, user: str) -> App:
        """Return where a clone is, which the user can write: deploymentSystem, deploymentPath and deployedBy."""
        system = self._deployment_system({"deploymentSystem": system_id}, user)
        if not pems.allows(self._files.permission_of(user, system, path), "write"):
            raise Forbidden(f"Permission denied. You may not write {path} on {system['id']}.")
        return {"deploymentSystem": system["id"], "deploymentPath": path, "deployedBy": user}

    def copy_files(self, app: App, place: App) -> None:
        """Copy the app's folder to a new one; :raises ApiError: it cannot be copied, and nothing is left of it."""
        self.require_assets(app)
        destination = self._located(place)
        if destination not in self._state.disk.make_folders(destination):
            raise BadRequest(f"The folder {place['deploymentPath']} exists already on {place['deploymentSystem']}.")
        try:
            self._state.disk.copy_tree(self._located(app), destination)
            durable.sync_tree(destination)
        except (ApiError, OSError) as problem:
            self._state.disk.remove(destination)
            raise ApiError(f"The files of {app['id']} could not be copied: {problem}") from problem

    def _located(self, app: App) -> Path:
        return self._state.disk.locate(self._systems.document(app["deploymentSystem"]), app["deploymentPath"])
