"""One job from PENDING to its end: inputs staged, script written and run, outputs archived."""

from __future__ import annotations

import contextlib
import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from . import wrapper
from .api import ApiError, NotFound
from .downloads import Interruption
from .fields import seconds
from .lifecycle import AFTER_THE_RUN, EVENTS, JobEnded, is_final
from .process import Process, base_environment
from .work_folder import WorkFolder, files_below

if TYPE_CHECKING:
    from .services.apps import Apps
    from .services.files import Files
    from .services.jobs import Jobs
    from .services.systems import Systems
    from .state import State

PROCESS = "process"  # the kind of document that tells of a process while there is one
_TRIES = 2  # of staging: a source on the web may fail once


class Failed(Exception):
    """The job has failed; the text says why."""


class JobRun:
    """
    Carries out one job. The job's document is the authority: when somebody has stopped the job, the next status
    is refused with JobEnded, and that is the end of it here too.
    """

    def __init__(self, state: State, job_id: str) -> None:
        self._state = state
        self.job_id = job_id
        self._process: Process | None = None
        self._interruption = Interruption()
        self._stopping = False
        self._noted = 0
        self._noting = threading.Lock()
        self._job = self._jobs.document(job_id)
        self._folder = self._work_folder()

    @property
    def _jobs(self) -> Jobs:
        return cast("Jobs", self._state.services["jobs"])

    @property
    def _apps(self) -> Apps:
        return cast("Apps", self._state.services["apps"])

    @property
    def _files(self) -> Files:
        return cast("Files", self._state.services["files"])

    @property
    def _systems(self) -> Systems:
        return cast("Systems", self._state.services["systems"])

    # The whole of it

    def run(self) -> None:
        """Bring the job to its end; one that has run already, before the tenant was restarted, is only archived."""
        if is_final(self._job["status"]):
            return  # stopped while it was waiting
        with contextlib.suppress(JobEnded):
            try:
                if self._job["status"] not in AFTER_THE_RUN:
                    self._prepare()
                    self._execute()
                self._finish()
            except (Failed, ApiError, OSError) as problem:
                self._status("FAILED", str(problem), message=str(problem))

    def kill(self, *, stopping: bool = False) -> None:
        """End the job's process, or what it downloads before; ``stopping``: because the tenant stops."""
        self._stopping = self._stopping or stopping
        self._interruption.interrupt("The job was stopped before all its data had come.")
        if self._process is not None:
            self._process.kill()

    def _status(self, status: str, description: str, **changes: Any) -> None:
        self._job = self._jobs.set_status(self.job_id, status, description, **changes)
        self._folder.log(f"[{self._job['lastUpdated']}] {status} {description}")

    def _work_folder(self) -> WorkFolder:
        job, system = self._job, self._system()
        parent = system["scratchDir"] or system["workDir"] or ""
        self._work_path = f"{parent}{job['owner']}/job-{job['id']}-{wrapper.slug(job['name'])}"
        path = self._state.disk.locate(system, self._work_path)
        return WorkFolder(path, slug=wrapper.slug(job["name"]), disk=self._state.disk)

    def _system(self) -> dict[str, Any]:
        return self._systems.document(self._job["executionSystem"])

    # Staging

    def _prepare(self) -> None:
        for attempt in range(1, _TRIES + 1):
            try:
                return self._stage()
            except (ApiError, OSError) as problem:
                if self._stopping:
                    raise TenantStopping from problem  # it may have been broken off for that
                if attempt == _TRIES:
                    raise Failed(f"Failed to stage the job's data: {problem}") from problem
                text = f"Staging failed and is tried again: {problem}"
                self._status("PENDING", text, retries=self._job["retries"] + 1)

    def _stage(self) -> None:
        self._folder.make_afresh()
        self._names = self._stage_inputs()
        self._status("STAGING_JOB", "Preparing job for execution and staging assets to execution system")
        self._stage_app()

    def _stage_inputs(self) -> dict[str, list[str]]:
        inputs: dict[str, list[str]] = self._job["inputs"]
        place = {"outputPath": self._work_path}
        if not inputs:
            self._status("STAGED", "Skipping staging. No input data associated with this job.", **place)
            return {}
        self._status("PROCESSING_INPUTS", "Identifying input files for staging", **place)
        names = {item: [self._fetch(uri) for uri in uris] for item, uris in inputs.items()}
        self._status("STAGED", "Job inputs staged to execution system")
        return names

    def _fetch(self, uri: str) -> str:
        self._refuse_when_stopping()
        self._status("STAGING_INPUTS", f"Staging {uri} to remote job directory")
        place = (uri, self._folder.path, self._job["baseUrl"])
        return self._files.fetch(self._job["owner"], *place, interruption=self._interruption)

    def _stage_app(self) -> None:
        app = self._app()
        self._apps.require_assets(app)
        assets = self._deployed(app)
        if not assets.is_dir():
            raise NotFound(f"No folder {app['deploymentPath']} on {app['deploymentSystem']}, the app's deploymentPath.")
        self._state.disk.copy_tree(assets, self._folder.path)
        text = self._script(app)
        self._folder.script.write_bytes(text.encode("utf-8", "surrogateescape"))
        self._folder.script.chmod(0o700)
        self._folder.write_manifest(files_below(assets))

    def _app(self) -> dict[str, Any]:
        app = self._state.store.get("app", self._job["appId"])
        if app is None:
            raise Failed(f"The app {self._job['appId']} was deleted before the job could start.")
        return app

    def _deployed(self, app: dict[str, Any], name: str = "") -> Path:
        """Return where the app's folder is, or a file in it; a link cannot lead out of its system."""
        system = self._systems.document(app["deploymentSystem"])
        return self._state.disk.locate(system, f"{app['deploymentPath']}/{name}")

    def _script(self, app: dict[str, Any]) -> str:
        template = self._deployed(app, app["templatePath"]).read_bytes()  # bytes: line ends stay as they are
        return wrapper.script(
            template.decode("utf-8", "surrogateescape"),
            shell=_shell(),
            folder=self._folder.path,
            app=app,
            job=self._job,
            system=self._system(),
            names=self._names,
            macros=self._macros(),
        )

    def _macros(self) -> dict[str, str]:
        queues = self._system()["queues"]
        return wrapper.macros_of(
            self._job,
            queue=next((queue for queue in queues if queue["name"] == self._job["batchQueue"]), {}),
            folder=self._folder.path,
            tenant_id=self._state.tenant_id,
            base_url=self._job["baseUrl"],
        )

    def _refuse_when_stopping(self) -> None:
        if self._stopping:
            raise TenantStopping

    # Running

    def _execute(self) -> None:
        self._refuse_when_stopping()
        self._status("SUBMITTING", "Preparing job for submission.")
        self._status("SUBMITTING", "Attempt 1 to submit job")
        process = Process(
            [_shell(), str(self._folder.script)],
            folder=self._folder.path,
            environment=self._environment(),
            out=self._folder.out,
            err=self._folder.err,
        )
        try:
            self._process = process  # it can be killed from outside from now on
            with process.ending():
                self._follow(process)
        finally:
            self._state.store.delete(PROCESS, self.job_id)

    def _environment(self) -> dict[str, str]:
        return {**base_environment(self._folder.path), **self._macros()}

    def _follow(self, process: Process) -> None:
        self._folder.pid.write_text(f"{process.pid}\n")
        told = f"CLI job {self.job_id} successfully forked as process id {process.pid}"
        with self._state.store.transaction():
            kept = {"job": self.job_id, "pid": process.pid, "begun": process.started}
            self._state.store.put(PROCESS, self.job_id, kept, updated=self._state.clock.now())
            self._status("QUEUED", told, localId=str(process.pid))
        self._status("RUNNING", "Job started running")
        if self._stopping:
            process.kill()
        process.go()
        process.wait(limit_s=seconds(self._job["maxRunTime"]))
        self.note_callbacks()
        self._refuse_failure(process)
        # Its exit code does not matter, as on the real server: a wrapper says by a callback that it failed.
        self._status("CLEANING_UP", "Job completed execution")

    def _refuse_failure(self, process: Process) -> None:
        if process.timed_out:
            raise Failed(f"Job exceeded its maxRunTime of {self._job['maxRunTime']} and was killed.")
        if self._stopping:
            raise Failed("The tenant was stopped while the job was running.")
        if "FAILURE" in self._folder.callbacks():
            raise Failed("The job's wrapper reported a failure.")

    def note_callbacks(self) -> None:
        """Put what the script has reported since the last time into the history: signs of life, notifications."""
        with self._noting:
            lines = self._folder.callbacks(after=self._noted)
            self._noted += len(lines)
        for line in lines:
            word, _, rest = line.partition(" ")
            if word == "ALIVE":
                self._jobs.note(self.job_id, "HEARTBEAT", "Job reported that it is alive")
            elif word == "NOTIFICATION":
                # Its own event name is part of the text: as a status it could claim what did not happen.
                text = f"Job sent a notification: {rest.removeprefix('- ')}"
                self._jobs.note(self.job_id, "HEARTBEAT", text, told_as=_own_event(rest))

    # Archiving

    def _finish(self) -> None:
        if not self._job["archive"]:
            return self._status("FINISHED", "Job completed. Skipping archiving at user request.")
        if not self._job["archived"]:
            self._status("ARCHIVING", "Beginning to archive output.")
            problem = self._archive()
            if problem is not None:
                self._status("ARCHIVING_FAILED", problem)
                return self._status("FINISHED", "Job completed, but failed to archive.", message=problem)
            self._status("ARCHIVING_FINISHED", "Job archiving completed successfully.", archived=True)
        self._folder.remove()  # before the end, after which nobody would look for it
        self._status("FINISHED", "Job complete")

    def _archive(self) -> str | None:
        """Copy the outputs to the archive; return why it failed, or None."""
        try:
            system = self._systems.document(self._job["archiveSystem"])
            self._folder.archive_into(self._state.disk.locate(system, self._job["archivePath"]))
        except (ApiError, OSError) as problem:
            return f"Failed to archive the job's output: {problem}"
        return None


class TenantStopping(Exception):
    """The tenant stops: the job stays as it is and goes on when the tenant is started again."""


def _own_event(report: str) -> str | None:
    """Return the name a script has given to its notification; None for none, and for one that the tenant gives."""
    name = report.partition(" ")[0]
    return None if name in ("", "-", *EVENTS) else name


def _shell() -> str:
    return shutil.which("bash") or "/bin/sh"
