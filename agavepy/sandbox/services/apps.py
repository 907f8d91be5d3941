"""Apps: what they are, who may run or change them, and the public copies that administrators publish."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from .. import macros, pems
from ..api import ApiError, BadRequest, Call, Forbidden, Listing, NotFound, Reply, Unauthorized, Unsupported
from ..clock import iso
from ..events import Subject
from ..fields import Fields
from ..patterns import like
from ..store import new_uuid
from . import Service, app_form, app_records, brief
from .app_description import check_name, check_version, read
from .app_places import AppPlaces

if TYPE_CHECKING:
    from ..state import State
    from .jobs import Jobs

App = dict[str, Any]

_KIND = "app"
_ACTIONS = "PUBLISH, UNPUBLISH, CLONE, ENABLE, DISABLE, ERASE"


class Apps(Service):
    """The operations of resources/apps.yaml."""

    name = "apps"

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self._places = AppPlaces(state)

    @property
    def _jobs(self) -> Jobs:
        return cast("Jobs", self.state.services["jobs"])

    # What jobs ask

    def find(self, app_id: str, user: str, *, right: str = "read") -> App:
        """
        Return the app's document.

        :param right: "read", "write" or "execute": what the user must be allowed.
        :raises NotFound: there is no such app.
        :raises Forbidden: it is not the user's to do that.
        """
        app = self.store.get(_KIND, app_id)
        if app is None:
            raise NotFound(f"No software found matching {app_id}")
        if not self._allows(app, user, right):
            raise Forbidden(f"Permission denied. You do not have permission to {right} the application {app_id}")
        return app

    def subject(self, uuid: str) -> Subject | None:
        found = self.store.by_uuid(_KIND, uuid)
        return self.subject_of(found[1]) if found else None

    def subject_of(self, app: App) -> Subject:
        """Return the app as events are about it."""
        return Subject(
            app["uuid"],
            app_records.address(app),
            lambda user: self._allows(app, user, "read"),
            lambda call: app_records.full(app, call),
        )

    def require_assets(self, app: App) -> None:
        """:raises ApiError: the app's files are no longer to be handed out: who deployed it may not read them."""
        self._places.require_assets(app)

    def _allows(self, app: App, user: str, right: str) -> bool:
        return pems.allows(self.permission_of(user, app), right)

    def permission_of(self, user: str, app: App) -> str:
        """Return the permission word of a user; on a public app only tenant admins may write."""
        if self.state.accounts.is_admin(user):
            return "ALL"
        if app["isPublic"]:
            return "READ_EXECUTE"
        return "ALL" if user == app["owner"] else pems.granted(self.store.grants(app["uuid"]), user)

    # Reading

    def list(self, call: Call, *, publicOnly: bool | None = None, privateOnly: bool | None = None) -> Listing:
        return self._listing(call, publicOnly, privateOnly, lambda app: True)

    def listByName(
        self, call: Call, *, name: str, publicOnly: bool | None = None, privateOnly: bool | None = None
    ) -> Listing:
        return self._listing(
            call, publicOnly, privateOnly, lambda app: like(app["name"], name) or like(app["id"], name)
        )

    def listBySystemId(
        self, call: Call, *, systemId: str, publicOnly: bool | None = None, privateOnly: bool | None = None
    ) -> Listing:
        return self._listing(call, publicOnly, privateOnly, lambda app: like(app["executionSystem"], systemId))

    def listByTag(
        self, call: Call, *, tag: str, publicOnly: bool | None = None, privateOnly: bool | None = None
    ) -> Listing:
        # The classic server takes the tag for an unknown search term and returns every app; this does what it says.
        return self._listing(call, publicOnly, privateOnly, lambda app: any(like(one, tag) for one in app["tags"]))

    def listByOntologyTerm(
        self, call: Call, *, term: str, publicOnly: bool | None = None, privateOnly: bool | None = None
    ) -> Listing:
        return self._listing(call, publicOnly, privateOnly, lambda app: any(like(one, term) for one in app["ontology"]))

    @brief
    def get(self, call: Call, *, appId: str) -> App:
        return app_records.full(self.find(appId, call.user), call)

    def getJobSubmissionForm(self, call: Call, *, uniqueName: str) -> str:
        return app_form.html(self.find(uniqueName, call.user), action=call.link("jobs/v2")["href"])

    def _listing(
        self, call: Call, public_only: bool | None, private_only: bool | None, wanted: Callable[[App], bool]
    ) -> Listing:
        # Both flags at once, or neither: no restriction.
        asked = None if bool(public_only) == bool(private_only) else bool(public_only)
        apps = (app for app in self._visible(call) if asked in (None, app["isPublic"]) and wanted(app))
        return app_records.listing(apps, call)

    def _visible(self, call: Call) -> Iterator[App]:
        also_disabled = any(term.lower().partition(".")[0] == "available" for term in call.query)
        return (
            app
            for app in self.store.all(_KIND)
            if (app["available"] or also_disabled) and self._allows(app, call.user, "read")
        )

    # Registering and updating

    def add(self, call: Call, *, body: Any) -> App:
        app = self._described(body, call.user)
        with self.store.transaction():
            return app_records.full(self._keep_described(app, call.user), call)

    def update(self, call: Call, *, appId: str, body: Any) -> App:
        self._writable(appId, call.user)
        app = self._described(body, call.user)
        if _id_of(app) != appId:
            raise BadRequest(f"'app.name' and 'app.version' must be those of {appId}; got {_id_of(app)}.")
        with self.store.transaction():
            self._writable(appId, call.user)
            return app_records.full(self._keep_described(app, call.user), call)

    def _writable(self, app_id: str, user: str) -> App:
        app = self.find(app_id, user, right="write")
        if app["isPublic"]:
            raise Forbidden(f"Public applications cannot be updated. Publish a new revision of {app_id} instead.")
        return app

    def _keep_described(self, described: App, user: str) -> App:
        known = self.store.get(_KIND, _id_of(described))
        if known is None:
            return self._create(described, owner=user, event="CREATED")
        self._writable(known["id"], user)
        return self._keep({**known, **described, "revision": known["revision"] + 1}, "UPDATED", user)

    def _create(self, described: App, *, owner: str, event: str, by: str | None = None, app_id: str = "") -> App:
        app = {
            "revision": 1,
            "isPublic": False,
            **described,
            "id": app_id or _id_of(described),
            "uuid": new_uuid("005"),
            "owner": owner,
            "created": iso(self.clock.now()),
        }
        return self._keep(app, event, by or owner)

    def _keep(self, app: App, event: str, user: str) -> App:
        now = self.clock.now()
        app = {**app, "lastModified": iso(now)}
        self.store.put(_KIND, app["id"], app, updated=now)
        self._note(app, event, user)
        return app

    def _note(
        self, app: App, event: str, user: str, description: str = "", *, told: Mapping[str, str] | None = None
    ) -> None:
        text = description or f"{event} by {user}"
        self.store.add_event(app["uuid"], event, text, created=self.clock.now(), created_by=user)
        self.state.events.publish(self.subject_of(app), event, by=user, macros=told)

    def _described(self, body: Any, user: str) -> App:
        app = read(body)
        self._places.check_execution(app, user)
        self._places.check_deployment(app, user)
        return app

    # Actions

    def manage(self, call: Call, *, appId: str, body: Any) -> Reply:
        fields = Fields(body, within="action")
        action = (fields.free_text("action") or "").upper()
        actions: dict[str, Callable[[App, Fields, Call], Reply]] = {
            "PUBLISH": self._publish,
            "UNPUBLISH": self._unpublish,
            "CLONE": self._clone,
            "ENABLE": lambda app, fields, call: self._switch(app, call, available=True),
            "DISABLE": lambda app, fields, call: self._switch(app, call, available=False),
            "ERASE": self._erase,
        }
        if action not in actions:
            raise BadRequest(f"Invalid action, {action}, on software entry. Valid actions are: {_ACTIONS}")
        return actions[action](self.find(appId, call.user), fields, call)

    def _switch(self, app: App, call: Call, *, available: bool) -> Reply:
        with self.store.transaction():
            app = self.find(app["id"], call.user, right="write")
            event = "RESTORED" if available else "DISABLED"
            return Reply(app_records.full(self._keep({**app, "available": available}, event, call.user), call), "ok")

    def _erase(self, app: App, fields: Fields, call: Call) -> Reply:
        self._require_admin(call, "erase")
        with self.store.transaction():
            self._forget(app, call.user)
        return Reply(app_records.full(app, call), "ok")

    def _publish(self, app: App, fields: Fields, call: Call) -> Reply:
        self._require_admin(call, "publish")
        if app["isPublic"]:
            raise BadRequest(f"The application {app['id']} is already public.")
        renamed = self._renamed(app, fields)
        self._places.check_public(renamed, call.user)
        return self._published(app, renamed, self._last_public_revision(renamed) + 1, call)

    def _published(self, app: App, renamed: App, number: int, call: Call) -> Reply:
        app_id = f"{_id_of(renamed)}u{number}"
        place = self._places.public_place(app, app_id)
        with self._failure_noted(app, "PUBLISHING_FAILED", call.user):
            self._places.copy_files(app, place)
        event = "PUBLISHED" if number == 1 else "REPUBLISHED"
        described = {**renamed, **place, "isPublic": True, "available": True, "revision": number}
        with self.store.transaction():
            public = self._create(described, owner=app["owner"], event=event, by=call.user, app_id=app_id)
            self._note(app, event, call.user, f"Published as {app_id} by {call.user}")
        return Reply(app_records.full(public, call), "accepted")

    def _last_public_revision(self, app: App) -> int:
        public = [one for one in self.store.all(_KIND) if re.fullmatch(rf"{re.escape(_id_of(app))}u\d+", one["id"])]
        return max((int(one["id"].rpartition("u")[2]) for one in public), default=0)

    def _unpublish(self, app: App, fields: Fields, call: Call) -> Reply:
        self._require_admin(call, "unpublish")
        if not app["isPublic"]:
            raise BadRequest(f"The application {app['id']} is not public.")
        with self.store.transaction():
            return Reply(app_records.full(self._keep({**app, "isPublic": False}, "UNPUBLISHED", call.user), call), "ok")

    def _clone(self, app: App, fields: Fields, call: Call) -> Reply:
        copy = self._renamed(app, fields)
        self._places.check_execution(copy, call.user)
        storage = fields.free_text("deploymentSystem") or fields.free_text("storageSystem")
        path = fields.free_text("deploymentPath") or f"{call.user}/applications/{_id_of(copy)}"
        place = self._places.own_place(storage, path, call.user)
        copy.update({**place, "revision": 1, "isPublic": False, "available": True})
        return Reply(app_records.full(self._cloned(app, copy, call.user), call), "accepted")

    def _cloned(self, app: App, copy: App, user: str) -> App:
        self._refuse_existing(copy)
        with self._failure_noted(app, "CLONING_FAILED", user):
            self._places.copy_files(app, copy)
        with self.store.transaction():
            self._refuse_existing(copy)  # asked before for the sake of the copying; meanwhile there may be one
            return self._create(copy, owner=user, event="CLONED")

    @contextlib.contextmanager
    def _failure_noted(self, app: App, event: str, user: str) -> Iterator[None]:
        try:
            yield
        except ApiError as problem:
            self._note(app, event, user, str(problem))
            raise

    def _refuse_existing(self, copy: App) -> None:
        if self.store.get(_KIND, _id_of(copy)):
            raise BadRequest(f"The application {_id_of(copy)} exists already. Give the clone a name or a version.")

    def _renamed(self, app: App, fields: Fields) -> App:
        """Return a copy with the name, version and execution system that an action asks for."""
        return {
            **app,
            "name": check_name(fields.free_text("name") or app["name"]),
            "version": check_version(fields.free_text("version") or app["version"]),
            "executionSystem": fields.free_text("executionSystem") or app["executionSystem"],
        }

    def _require_admin(self, call: Call, action: str) -> None:
        if not self.state.accounts.is_admin(call.user):
            raise Forbidden(f"Permission denied. Only tenant administrators may {action} applications.")

    def delete(self, call: Call, *, appId: str) -> None:
        with self.store.transaction():
            app = self.find(appId, call.user)
            if not self._allows(app, call.user, "write"):
                raise Unauthorized(f"Permission denied. You do not have permission to delete the application {appId}")
            if app["isPublic"]:
                self._keep({**app, "available": False}, "DELETED", call.user)
            else:
                self._forget(app, call.user)

    def _forget(self, app: App, user: str) -> None:
        self.store.delete(_KIND, app["id"])
        self._note(app, "DELETED", user)  # first, so that those it was shared with are told
        self.store.revoke_all(app["uuid"])
        self._jobs.hide_jobs_of(app["id"], user=user)

    # Permissions

    def listPermissions(self, call: Call, *, appId: str) -> Any:
        app = self._shareable(appId, call.user, right="read")
        everybody = {app["owner"]: "ALL", **self.store.grants(app["uuid"])}
        return [app_records.permission(app, user, word, call) for user, word in everybody.items()]

    def listPermissionsForUser(self, call: Call, *, appId: str, username: str) -> App:
        app = self._shareable(appId, call.user, right="read")
        word = {**self.store.grants(app["uuid"]), app["owner"]: "ALL"}.get(username)
        if word is None:
            raise NotFound(f"No permissions found for user {username}")
        return app_records.permission(app, username, word, call)

    def updateApplicationPermissions(self, call: Call, *, appId: str, body: Any) -> Reply:
        return self._grant(call, appId, *pems.requested(body))

    def updatePermissionsForUser(self, call: Call, *, appId: str, username: str, body: Any) -> Reply:
        return self._grant(call, appId, *pems.requested(body, username=username))

    def deletePermissions(self, call: Call, *, appId: str) -> None:
        with self.store.transaction():
            app = self._shareable(appId, call.user, right="write")
            self.store.revoke_all(app["uuid"])
            self._note(app, "PERMISSION_REVOKE", call.user, "All permissions revoked")

    def deletePermissionsForUser(self, call: Call, *, appId: str, username: str) -> None:
        self._grant(call, appId, username, "NONE")

    def _grant(self, call: Call, app_id: str, username: str, word: str) -> Reply:
        with self.store.transaction():
            app = self._shareable(app_id, call.user, right="write")
            if not pems.is_grantee(username, self.state.accounts):
                raise NotFound(f"No permissions found for user {username}")
            if username != app["owner"]:  # an owner always has all
                self.store.grant(app["uuid"], username, word)
                event = "PERMISSION_REVOKE" if word == "NONE" else "PERMISSION_GRANT"
                told = macros.of_permission(username, word, changed=iso(self.clock.now()))
                self._note(app, event, call.user, f"{word} permission for {username}", told=told)
        held = "ALL" if username == app["owner"] else word
        return Reply(app_records.permission(app, username, held, call), "ok" if word == "NONE" else "created")

    def _shareable(self, app_id: str, user: str, *, right: str) -> App:
        app = self.find(app_id, user)
        if app["isPublic"]:
            raise Unsupported("Share permissions are not suported on public applications.")  # misspelt on the wire
        return self.find(app_id, user, right=right)


def _id_of(app: App) -> str:
    return f"{app['name']}-{app['version']}"
