"""The threads that carry out jobs, one after the other, in the order they were submitted."""

from __future__ import annotations

import collections
import logging
import threading
from typing import TYPE_CHECKING, cast

from .api import ApiError
from .job_run import PROCESS, JobRun, TenantStopping
from .lifecycle import ON_THE_SYSTEM, JobEnded
from .process import kill_left_over

if TYPE_CHECKING:
    from .services.jobs import Jobs
    from .state import State

_LOG = logging.getLogger("agavepy.sandbox")
_LOST = "The tenant was stopped while the job was running; its process could not be followed any more."


class JobRunner:
    """
    Runs jobs as processes of this machine, ``workers`` at a time.

    Which jobs there are is in the store; the queue in memory only says which of them are next.
    """

    def __init__(self, state: State, *, workers: int = 2) -> None:
        self._state = state
        self._workers = workers
        self._threads: list[threading.Thread] = []
        self._waiting: collections.deque[str] = collections.deque()
        self._running: dict[str, JobRun | None] = {}  # None: just taken from the queue
        self._stopping = False
        self._changed = threading.Condition()

    @property
    def _jobs(self) -> Jobs:
        return cast("Jobs", self._state.services["jobs"])

    # From outside

    def start(self) -> None:
        """Take up the jobs an earlier tenant on this root has left, and start the threads."""
        self._kill_left_over()
        for job in self._jobs.unfinished():
            if job["status"] in ON_THE_SYSTEM:
                self._jobs.set_status(job["id"], "FAILED", _LOST, message=_LOST)
            else:
                self._waiting.append(job["id"])
        self._threads = [
            threading.Thread(target=self._work, name=f"job-runner-{number}", daemon=True)
            for number in range(self._workers)
        ]
        for thread in self._threads:
            thread.start()

    def _kill_left_over(self) -> None:
        """End the processes of a tenant that could not do so itself: it was killed."""
        for left in list(self._state.store.all(PROCESS)):
            kill_left_over(left["pid"], begun=left["begun"], mark=f"AGAVE_JOB_ID={left['job']}")
            self._state.store.delete(PROCESS, left["job"])

    def stop(self) -> None:
        """Kill the running processes, end the threads. Jobs that were not running yet wait for the next start."""
        with self._changed:
            self._stopping = True
            running = [run for run in self._running.values() if run]
            self._changed.notify_all()
        for run in running:
            run.kill(stopping=True)
        self._state.services["files"].close()  # a download for an input would hold its thread
        for thread in self._threads:
            thread.join()
        self._threads = []

    def enqueue(self, job_id: str) -> None:
        """Have a job carried out; its document is in the store already."""
        with self._changed:
            self._waiting.append(job_id)
            self._changed.notify_all()

    def is_running(self, job_id: str) -> bool:
        """Return whether a thread still has to do with a job."""
        with self._changed:
            return job_id in self._running

    def cancel(self, job_id: str) -> None:
        """End the process of a job whose document says by now that it is over."""
        run = self._run_of(job_id)
        if run is not None:
            run.kill()

    def note_callbacks(self, job_id: str) -> None:
        """Put into a running job's history what its script has reported so far."""
        run = self._run_of(job_id)
        if run is not None:
            run.note_callbacks()

    def run_until_idle(self, timeout_s: float = 60) -> None:
        """
        Return when every job that was submitted is over.

        :raises TimeoutError: they are not in time; the text names them.
        """
        with self._changed:
            if not self._changed.wait_for(self._is_idle, timeout_s):
                left = ", ".join([*self._running, *self._waiting])
                raise TimeoutError(f"After {timeout_s} s these jobs are not over: {left}")

    def _is_idle(self) -> bool:
        return not self._waiting and not self._running

    def _run_of(self, job_id: str) -> JobRun | None:
        with self._changed:
            return self._running.get(job_id)

    # In the threads

    def _work(self) -> None:
        while (job_id := self._next()) is not None:
            try:
                self._carry_out(job_id)
            finally:
                self._done(job_id)

    def _next(self) -> str | None:
        """Return the next job, waiting for one; None when the tenant stops."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._ready() is not None)
            job_id = None if self._stopping else self._ready()
            if job_id is not None:
                self._waiting.remove(job_id)
                self._running[job_id] = None
            return job_id

    def _ready(self) -> str | None:
        # A job that was reset waits twice at most, and never runs beside itself.
        return next((job_id for job_id in self._waiting if job_id not in self._running), None)

    def _done(self, job_id: str) -> None:
        with self._changed:
            del self._running[job_id]
            self._changed.notify_all()

    def _carry_out(self, job_id: str) -> None:
        try:
            run = JobRun(self._state, job_id)
            self._announce(run)
            run.run()
        except TenantStopping:
            _LOG.info("Job %s waits for the next start of the tenant", job_id)
        except ApiError as problem:
            self._fail(job_id, str(problem))  # its system was deleted meanwhile, for instance
        except Exception as problem:
            _LOG.exception("Job %s failed unexpectedly", job_id)
            self._fail(job_id, f"The sandbox could not carry out the job: {problem}")

    def _announce(self, run: JobRun) -> None:
        """Let others reach the run; one that comes too late for :meth:`stop` learns of it here."""
        with self._changed:
            self._running[run.job_id] = run
            stopping = self._stopping
        if stopping:
            run.kill(stopping=True)

    def _fail(self, job_id: str, reason: str) -> None:
        try:
            self._jobs.set_status(job_id, "FAILED", reason, message=reason)
        except JobEnded:
            return  # somebody has stopped it meanwhile
        except Exception:
            _LOG.exception("Job %s keeps its status: the store takes no other", job_id)
