"""Jobs: submitted, followed, stopped; who may see them; their outputs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from .. import macros, media, pems
from ..api import (
    BadRequest,
    Call,
    Download,
    Forbidden,
    Listing,
    NotFound,
    Reply,
    Unauthorized,
    Unreachable,
    Unsupported,
)
from ..clock import iso
from ..events import Subject
from ..fields import Fields
from ..imports import without_password
from ..job_outputs import JobOutputs
from ..lifecycle import JobEnded, is_final
from ..search import matching, terms
from ..store import new_uuid
from . import Service, brief, job_records, job_request
from .notification_request import embedded

if TYPE_CHECKING:
    from .apps import Apps
    from .files import Files
    from .notifications import Notifications
    from .systems import Systems

Job = dict[str, Any]
System = dict[str, Any]

_KIND = "job"
_STOPPED = "Job cancelled by user."


class Jobs(Service):
    """The operations of resources/jobs.yaml. The runner does the work and tells :meth:`set_status` about it."""

    name = "jobs"

    @property
    def _systems(self) -> Systems:
        return cast("Systems", self.state.services["systems"])

    @property
    def _files(self) -> Files:
        return cast("Files", self.state.services["files"])

    @property
    def _apps(self) -> Apps:
        return cast("Apps", self.state.services["apps"])

    @property
    def _notifications(self) -> Notifications:
        return cast("Notifications", self.state.services["notifications"])

    # What the runner and the other services ask

    def set_status(self, job_id: str, status: str, description: str, *, by: str | None = None, **changes: Any) -> Job:
        """
        Give a job a status, with its line in the history; return the new document.

        :param by: who caused it; None: the job's owner.
        :param changes: further fields of the document, such as ``message``.
        :raises JobEnded: the status it has is final.
        """
        with self.store.transaction():
            job = self.document(job_id)
            if is_final(job["status"]):
                raise JobEnded(job_id)
            return self._keep({**job, **changes, **self._times(job, status), "status": status}, status, description, by)

    def note(self, job_id: str, event: str, description: str, *, told_as: str | None = None) -> None:
        """
        Add an event that is no status, such as HEARTBEAT, to a job's history.

        :param told_as: the name of the event for those who are notified of it, if it is another one.
        """
        with self.store.transaction():
            job = self.document(job_id)
            self.store.add_event(job_id, event, description, created=self.clock.now(), created_by=job["owner"])
            self._publish(job, told_as or event, description, job["owner"])

    def document(self, job_id: str) -> Job:
        """Return the job's document, whoever asks; :raises NotFound: there is none."""
        job = self.store.get(_KIND, job_id)
        if job is None:
            raise NotFound(f"No job found with job id {job_id}.")
        return job

    def may_read(self, job: Job, user: str) -> bool:
        """Return whether a job is the user's to see."""
        return self._allows(job, user, "read")

    def unfinished(self) -> list[Job]:
        """Return the jobs that are not over, oldest first."""
        jobs = [job for job in self.store.all(_KIND) if not is_final(job["status"])]
        return sorted(jobs, key=lambda job: str(job["id"]))  # an id starts with the time it was made

    def hide_jobs_of(self, app_id: str, *, user: str) -> None:
        """Hide all jobs of an app that is being removed."""
        for job in self.store.all(_KIND):
            if job["appId"] == app_id and job["visible"]:
                self._keep({**job, "visible": False}, "DELETED", f"App {app_id} was deleted", user)

    def _times(self, job: Job, status: str) -> dict[str, str]:
        now = iso(self.clock.now())
        if status == "RUNNING" and not job["startTime"]:
            return {"startTime": now}
        return {"endTime": now} if (status == "CLEANING_UP" or is_final(status)) and not job["endTime"] else {}

    def _keep(self, job: Job, event: str, description: str, by: str | None) -> Job:
        now = self.clock.now()
        job = {**job, "lastUpdated": iso(now), "lastModified": iso(now)}
        self.store.put(_KIND, job["id"], job, updated=now)
        self.store.add_event(job["id"], event, description, created=now, created_by=by or job["owner"])
        self._publish(job, event, description, by or job["owner"])
        return job

    # Events

    def subject(self, uuid: str) -> Subject | None:
        job = self.store.get(_KIND, uuid)
        return self._subject(job) if job and job["visible"] else None

    def _subject(self, job: Job) -> Subject:
        return Subject(
            job["id"],
            f"jobs/v2/{job['id']}",
            lambda user: self._allows(job, user, "read"),
            lambda call: job_records.full(job, call),
        )

    def _publish(
        self, job: Job, event: str, description: str, by: str, *, told: Mapping[str, str] | None = None
    ) -> None:
        """Tell of an event of a job, to those who watch its system too, and of a new job to those who watch its app."""
        shown = {**job, "message": job["message"] or description}
        subject = self._subject(shown)
        self.state.events.publish(subject, event, by=by, macros=told)
        system = self.store.get("system", job["executionSystem"])
        if system is not None:
            self._publish_beside(self._systems.subject_of(system), "system", subject, event, by)
        app = self.store.get("app", job["appId"]) if event == "CREATED" else None
        if app is not None:
            self._publish_beside(self._apps.subject_of(app), "app", subject, event, by)

    def _publish_beside(self, resource: Subject, kind: str, job: Subject, event: str, by: str) -> None:
        """Tell of a job's event as one of another resource, to those who may read both."""
        self.state.events.publish(resource.beside(job, own=kind, named="job"), f"JOB_{event}", by=by)

    # Reading

    def list(self, call: Call) -> Listing:
        return job_records.listing(self._visible(call.user), call)

    def search(self, call: Call, *, attribute: str, value: str) -> Listing:
        # The front applies the further pairs of the path, which are among the query's terms.
        wanted = list(terms({attribute: value}, job_records.SEARCH))
        if not wanted:
            raise BadRequest(
                f"Jobs cannot be searched by {attribute}. Fields: {', '.join(sorted(job_records.SEARCH))}."
            )
        [(field, operator, text)] = wanted
        now = self.clock.now()
        path = job_records.SEARCH[field]
        found = matching(self._visible(call.user), path, operator, text, name=attribute, now=now)
        return job_records.listing(found, call)

    @brief
    def get(self, call: Call, *, jobId: str) -> Job:
        return job_records.full(self._find(jobId, call.user), call)

    @brief
    def getStatus(self, call: Call, *, jobId: str) -> Job:
        if self.store.get(_KIND, jobId) is None:
            raise NotFound(f"Not job found with job id {jobId}")  # worded so on the wire
        job = self._find(jobId, call.user)
        return {"id": job["id"], "status": job["status"], "_links": {"self": call.link(f"jobs/v2/{job['id']}")}}

    def getHistory(self, call: Call, *, jobId: str) -> Any:
        job = self._find(jobId, call.user)
        self.state.runner.note_callbacks(job["id"])
        return [
            {
                "status": event["status"],
                "created": iso(event["created"]),
                "createdBy": event["created_by"],
                "description": event["description"],
            }
            for event in self.store.events(job["id"])
        ]

    def _visible(self, user: str) -> Any:
        return [job for job in self.store.all(_KIND) if job["visible"] and self._allows(job, user, "read")]

    def _find(self, job_id: str, user: str, *, right: str = "read", hidden: bool = False) -> Job:
        job = self.document(job_id)
        if not self._allows(job, user, right):
            raise Forbidden(f"Permission denied. You do not have permission to {right} the job {job_id}")
        if not job["visible"] and not hidden:
            raise NotFound(f"Job with uuid {job_id} is not visible.")
        return job

    def _allows(self, job: Job, user: str, right: str) -> bool:
        if user == job["owner"] or self.state.accounts.is_admin(user):
            return True
        return pems.allows(pems.granted(self.store.grants(job["id"]), user), right)

    # Submitting

    def submit(self, call: Call, *, body: Any) -> Job:
        job, notifications = self._submit(call, body)
        return job_records.submitted(job, notifications, call)

    def _submit(self, call: Call, body: Any) -> tuple[Job, Any]:
        job = self._described(body, call)
        settings = embedded(body.get("notifications"), callback_url=body.get("callbackUrl"))
        self._prepare_archive(job)
        with self.store.transaction():
            notifications = self._notifications.attach(job["id"], settings, owner=job["owner"])
            self._publish(job, "CREATED", "Job created", job["owner"])
            job = self._keep(job, "PENDING", "Job accepted and queued for submission.", None)
        self.state.runner.enqueue(job["id"])
        return job, notifications

    def _described(self, body: Any, call: Call) -> Job:
        fields = job_request.fields_of(body)
        app = self._runnable_app(job_request.app_id(fields), call.user)
        system = self._execution_system(app, call.user)
        asked = job_request.read(body, fields, app=app, system=system)
        self._check_inputs(asked["inputs"], call)
        now = iso(self.clock.now())
        job = {
            "id": new_uuid("007"),
            **asked,
            "owner": call.user,
            "appId": app["id"],
            "executionSystem": system["id"],
            **dict.fromkeys(("localId", "outputPath", "startTime", "endTime", "message")),
            **dict.fromkeys(("created", "submitTime", "lastUpdated", "lastModified"), now),
            **{"status": "PENDING", "retries": 0},
            **{"visible": True, "archived": False, "request": body, "baseUrl": call.base_url},
        }
        return {**job, **self._archive(job)}

    def _runnable_app(self, app_id: str, user: str) -> dict[str, Any]:
        try:
            app = self._apps.find(app_id, user, right="execute")
        except NotFound:
            raise BadRequest(f"No app found matching {app_id} for {user}") from None
        if not app["available"]:
            raise BadRequest(f"The app {app_id} is not available: it was disabled or deleted.")
        return app

    def _execution_system(self, app: dict[str, Any], user: str) -> System:
        system = self._up(self._systems.find(app["executionSystem"], user))
        if self._systems.role_of(system, user) == "GUEST":
            raise Forbidden(f"Permission denied. You need the role USER on the system {system['id']} to run jobs.")
        if system["scheduler"] != "FORK":
            raise BadRequest(f"Jobs on {system['id']} need {system['scheduler']}; this sandbox runs FORK jobs only.")
        return system

    def _up(self, system: System) -> System:
        if not system["available"] or system["status"] != "UP":
            state = system["status"] if system["available"] else "disabled"
            raise Unreachable(f"The system {system['id']} is {state}.")
        return system

    def _check_inputs(self, inputs: dict[str, Any], call: Call) -> None:
        """Refuse what the user may not read; what is not there, or not yet, is found out when it is staged."""
        names: dict[str, str] = {}
        for uri in (uri for uris in inputs.values() for uri in uris):
            name = self._files.input_name(call.user, uri, call.base_url)
            first = names.setdefault(name, uri)
            if first != uri:
                both = " and ".join(without_password(each) for each in (first, uri))
                raise BadRequest(f"The inputs {both} would both be called {name} in the job's folder: rename one.")

    def _archive(self, job: Job) -> Job:
        """Return archiveSystem and archivePath; both None without archiving."""
        if not job["archive"]:
            return {"archiveSystem": None, "archivePath": None}
        system = self._archive_system(job)
        asked = job["archivePath"] or f"{job['owner']}/archive/jobs/job-{job['id']}"
        path = job_request.archive_path(asked, job=job, system=system, tenant_id=self.state.tenant_id)
        if not pems.allows(self._files.permission_of(job["owner"], system, path), "write"):
            raise Forbidden(f"Permission denied. You may not write {path} on {system['id']}, the archivePath.")
        return {"archiveSystem": system["id"], "archivePath": path}

    def _archive_system(self, job: Job) -> System:
        if not job["archiveSystem"]:
            return self._up(self._systems.default_for(job["owner"], "STORAGE"))
        try:
            system = self._systems.find(job["archiveSystem"], job["owner"])
        except NotFound as unknown:
            raise BadRequest(f"Invalid 'job.archiveSystem' value. {unknown}") from unknown
        if system["type"] != "STORAGE":
            raise BadRequest(f"Invalid 'job.archiveSystem' value. {system['id']} is no STORAGE system.")
        return self._up(system)

    def _prepare_archive(self, job: Job) -> None:
        if job["archive"]:
            system = self._systems.document(job["archiveSystem"])
            self.state.disk.make_folders(self.state.disk.locate(system, job["archivePath"]))

    # Actions

    def manage(self, call: Call, *, jobId: str, body: Any) -> Job | Reply | None:
        action = (Fields(body, within="action").free_text("action") or "").lower()
        actions: dict[str, Callable[[Call, str], Any]] = {
            "stop": self._stop,
            "kill": self._stop,
            "resubmit": self._resubmit,
            "restore": self._restore,
            "reset": self._reset,
        }
        if not action:
            raise BadRequest("No action specified")
        if action not in actions:
            raise BadRequest(f"Invalid action {action}. Valid actions are: {', '.join(actions)}")
        return cast("Job | Reply | None", actions[action](call, jobId))

    def delete(self, call: Call, *, jobId: str) -> None:
        job = self._find(jobId, call.user, right="write")
        if not is_final(job["status"]):
            self._cancel(job["id"], call.user)
        with self.store.transaction():
            self._keep({**self.document(jobId), "visible": False}, "DELETED", "Job deleted", call.user)

    def _stop(self, call: Call, job_id: str) -> Reply:
        job = self._find(job_id, call.user, right="write")
        if not self._cancel(job["id"], call.user):
            raise BadRequest(f"The job {job_id} cannot be stopped: it is {self.document(job_id)['status']}.")
        return Reply(outcome="ok")

    def _cancel(self, job_id: str, user: str) -> bool:
        """Stop a job; False: it was over already."""
        try:
            self.set_status(job_id, "STOPPED", _STOPPED, by=user)
        except JobEnded:
            return False
        self.state.runner.cancel(job_id)
        return True

    def _resubmit(self, call: Call, job_id: str) -> Reply:
        """Submit the job's request once more, checked against the app as it is now."""
        job = self._find(job_id, call.user)
        again, _ = self._submit(call, job["request"])
        return Reply(job_records.full(again, call), "accepted")

    def _restore(self, call: Call, job_id: str) -> Reply:
        with self.store.transaction():
            job = self._find(job_id, call.user, right="write", hidden=True)
            job = self._keep({**job, "visible": True}, "RESTORED", "Job restored", call.user)
        return Reply(job_records.full(job, call), "ok")

    def _reset(self, call: Call, job_id: str) -> Reply:
        if not self.state.accounts.is_admin(call.user):
            raise Forbidden("Permission denied. Only tenant administrators may reset jobs.")
        with self.store.transaction():
            job = self._find(job_id, call.user)
            if not is_final(job["status"]):
                raise BadRequest(f"The job {job_id} is {job['status']}. Stop it before it is reset.")
            fresh = dict.fromkeys(("localId", "outputPath", "startTime", "endTime", "message"))
            if self.state.runner.is_running(job_id):
                raise BadRequest(f"The job {job_id} is just ending. Try again.")
            job = {**job, **fresh, "status": "PENDING", "archived": False}
            job = self._keep(job, "PENDING", f"Job reset by {call.user}", call.user)
        self.state.runner.enqueue(job_id)
        return Reply(job_records.full(job, call), "ok")

    # Permissions

    def listPermissions(self, call: Call, *, jobId: str) -> Any:
        job = self._find(jobId, call.user)
        everybody = {job["owner"]: "ALL", **self.store.grants(job["id"])}
        return [job_records.permission(job, user, word, call) for user, word in everybody.items()]

    def listPermissionsForUser(self, call: Call, *, jobId: str, username: str) -> Any:
        found = [entry for entry in self.listPermissions(call, jobId=jobId) if entry["username"] == username]
        if not found:
            raise NotFound(f"No permissions found for user {username}")
        return found

    def updatePermissions(self, call: Call, *, jobId: str, body: Any) -> Reply:
        return self._grant(call, jobId, *pems.requested(body))

    def updatePermissionsForUser(self, call: Call, *, jobId: str, username: str, body: Any) -> Reply:
        return self._grant(call, jobId, *pems.requested(body, username=username))

    def deletePermissions(self, call: Call, *, jobId: str) -> None:
        job = self._find(jobId, call.user, right="write")
        with self.store.transaction():
            self.store.revoke_all(job["id"])
            self._note_permission(job, "All permissions revoked", call.user, event="PERMISSION_REVOKE")

    def deletePermissionsForUser(self, call: Call, *, jobId: str, username: str) -> None:
        self._grant(call, jobId, username, "NONE")

    def _grant(self, call: Call, job_id: str, username: str, word: str) -> Reply:
        job = self._find(job_id, call.user, right="write")
        if not pems.is_grantee(username, self.state.accounts):
            raise NotFound(f"No user found matching {username}")
        held = "ALL" if username == job["owner"] else word
        if username != job["owner"]:  # an owner always has all
            with self.store.transaction():
                self.store.grant(job["id"], username, word)
                event = "PERMISSION_REVOKE" if word == "NONE" else "PERMISSION_GRANT"
                told = macros.of_permission(username, word, changed=iso(self.clock.now()))
                self._note_permission(job, f"{word} permission for {username}", call.user, event=event, told=told)
        return Reply(job_records.permission(job, username, held, call), "ok" if word == "NONE" else "created")

    def _note_permission(
        self, job: Job, text: str, user: str, *, event: str, told: Mapping[str, str] | None = None
    ) -> None:
        self.store.add_event(job["id"], event, text, created=self.clock.now(), created_by=user)
        self._publish(job, event, text, user, told=told)

    # Outputs

    def output_place(self, user: str, job_id: str, path: str) -> Path:
        """Return where an output of a job is on disk; :raises ApiError: it is not there or not the user's to read."""
        return self._outputs_of(job_id, user).place(path)

    def listOutputs(self, call: Call, *, jobId: str, filePath: str = "") -> Any:
        outputs = self._outputs_of(jobId, call.user)
        entries = [job_records.output(place, outputs, call) for place in outputs.places(filePath)]
        return [entry for entry in entries if entry is not None]

    def downloadOutput(self, call: Call, *, jobId: str, filePath: str) -> Download:
        place = self._outputs_of(jobId, call.user).place(filePath)
        if place.is_dir():
            raise Unsupported("Directory downloads not supported")
        if not place.is_file() or not os.access(place, os.R_OK):
            raise BadRequest(f"{filePath} is no file that can be read.")
        return Download(place, place.name, media.type_of(place.name))

    def _outputs_of(self, job_id: str, user: str) -> JobOutputs:
        """Return the files of a job that the user may read, with the refusals this part of the service has."""
        job = self.store.get(_KIND, job_id)
        if job is None:
            raise BadRequest(f"No job found with job id {job_id}.")
        if not self._allows(job, user, "read"):
            raise Unauthorized(f"Permission denied. You do not have permission to read the outputs of job {job_id}")
        return JobOutputs(self.state, self._find(job_id, user))
