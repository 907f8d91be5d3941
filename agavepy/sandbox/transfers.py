"""Data brought into place: at once for job inputs, in the background for imports and conversions."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import durable, imports
from .api import ApiError, NotFound
from .disk import clear_refusals
from .downloads import Interruption, Interruptions, download
from .file_access import FileAccess, Target
from .file_changes import FileChanges, arrival
from .file_records import FileRecords, Record
from .pems import READ
from .store import new_uuid

if TYPE_CHECKING:
    from .state import State

_LOG = logging.getLogger(__name__)
_WORKERS = 2
_BROKEN_OFF = "The tenant stopped before all data had come."


@dataclasses.dataclass(frozen=True)
class Work:
    """What is done in the background to make a file, and how its history calls that."""

    status: str  # "STAGING": the history goes from STAGING_QUEUED over STAGING to STAGING_COMPLETED or STAGING_FAILED
    noun: str  # "import"
    source: str  # shown for where the data comes from
    do: Callable[[Path], None]  # makes the file at the place it is given


class Transfers:
    """Reads sources with the rights of a user, and carries out imports on threads of its own."""

    def __init__(self, state: State, access: FileAccess, changes: FileChanges, records: FileRecords) -> None:
        self._state = state
        self._store = state.store
        self._disk = state.disk
        self._access = access
        self._changes = changes
        self._records = records
        self._downloads = Interruptions()
        self._pool = concurrent.futures.ThreadPoolExecutor(_WORKERS, thread_name_prefix="import")
        self._pending: set[concurrent.futures.Future[None]] = set()
        self._lock = threading.Lock()

    # Sources

    def read(self, uri: str, *, base_url: str) -> imports.Source:
        """Return what a URI names; :raises BadRequest: it names nothing that can be read."""
        return imports.read(uri, base_url=base_url)

    def check_readable(self, user: str, source: imports.Source) -> None:
        """:raises ApiError: the user may not read it or it is not there. The web is not asked."""
        if not isinstance(source, imports.WebFile):
            self._place_of(user, source)

    def name_of(self, user: str, source: imports.Source) -> str:
        """Return the name a source has at its destination."""
        if isinstance(source, imports.WebFile):
            return source.name
        return imports.base_name(str(self._place_of(user, source)))

    def deliver(
        self, user: str, source: imports.Source, destination: Path, *, interruption: Interruption | None = None
    ) -> None:
        """
        Copy a source to ``destination``: a file replaces one that is there, a folder merges with it.

        :param interruption: lets others break off a download.
        :raises ApiError: it cannot be read.
        """
        if not isinstance(source, imports.WebFile):
            self._disk.copy_tree(self._place_of(user, source), destination)
            return
        arriving = self._disk.new_incoming()
        try:
            with self._downloads.including(interruption or Interruption()) as interruption:
                download(source, arriving, interruption=interruption)
            self._disk.place_file(arriving, destination)
        finally:
            arriving.unlink(missing_ok=True)

    def _place_of(self, user: str, source: imports.TenantFile | imports.JobOutput) -> Path:
        place = self._output(user, source) if isinstance(source, imports.JobOutput) else self._file(user, source)
        if not place.is_dir() and not place.is_file():
            raise NotFound(f"File/folder does not exist: {source.path}")
        return place

    def _file(self, user: str, source: imports.TenantFile) -> Path:
        target = self._access.target(user, source.system_id, source.path)
        self._access.require_tree(target, READ)
        return target.real

    def _output(self, user: str, source: imports.JobOutput) -> Path:
        jobs: Any = self._state.services["jobs"]
        place: Path = jobs.output_place(user, source.job_id, source.path)
        return place

    # In the background

    def begin(self, target: Target, source: imports.Source, *, shown: str) -> Record:
        """Import a source to a target in the background; return the target's record. ``shown`` stands for its URI."""
        return self.begin_work(
            target, Work("STAGING", "import", shown, lambda place: self.deliver(target.user, source, place))
        )

    def begin_work(self, target: Target, work: Work) -> Record:
        """Make a target in the background; return its record."""
        event, task = arrival(target), new_uuid("020")
        with self._store.transaction():
            queued = f"{work.noun.capitalize()} of {work.source} queued"
            record = self._changes.note(target, f"{work.status}_QUEUED", queued, source=work.source)
            # Kept until it is done, so that a tenant that died can tell at its next start.
            key = self._records.key_of(target.real)
            kept = {"task": task, "key": key, "user": target.user, "failed": f"{work.status}_FAILED"}
            self._store.put("import", task, kept, updated=self._state.clock.now())
        self._submit(lambda: self._work(target, work, event, task))
        return record

    def _work(self, target: Target, work: Work, event: str, task: str) -> None:
        with _reported(lambda why: self._end(target, f"{work.status}_FAILED", why, task), target.path, work.noun):
            self._changes.note(target, work.status, f"{work.noun.capitalize()} of {work.source} begun")
            work.do(target.real)
            durable.sync_tree(target.real)
            self._changes.note(target, event, f"File {event.lower()} by {work.noun}")
            self._end(target, f"{work.status}_COMPLETED", f"{work.noun.capitalize()} completed", task)

    def _end(self, target: Target, status: str, description: str, task: str) -> None:
        with self._store.transaction():
            self._changes.note(target, status, description)
            self._store.delete("import", task)

    def fail_interrupted(self) -> None:
        """Note of the imports an earlier tenant on this root was about that they have failed."""
        for left in list(self._store.all("import")):
            real = self._records.place_of(left["key"])
            self._records.note(real, left["user"], left.get("failed", "STAGING_FAILED"), _BROKEN_OFF)
            self._store.delete("import", left["task"])

    def _submit(self, work: Callable[[], None]) -> None:
        with self._lock:
            future = self._pool.submit(work)
            self._pending.add(future)
        future.add_done_callback(self._forget)

    def wait_idle(self, timeout_s: float) -> None:
        """Return when all imports are done; :raises TimeoutError: they are not in time."""
        with self._lock:
            pending = list(self._pending)
        _, late = concurrent.futures.wait(pending, timeout_s)
        if late:
            raise TimeoutError(f"{len(late)} imports are not done after {timeout_s} s.")

    def close(self) -> None:
        """Give up what is not done yet, and wait for the threads."""
        self._downloads.interrupt(_BROKEN_OFF)
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _forget(self, future: concurrent.futures.Future[None]) -> None:
        with self._lock:
            self._pending.discard(future)


@contextlib.contextmanager
def _reported(fail: Callable[[str], None], path: str, noun: str) -> Iterator[None]:
    """Tell ``fail`` why the block did not finish; what nobody foresaw goes to the log as well."""
    try:
        with clear_refusals(path):
            yield
    except ApiError as problem:
        fail(str(problem))
    except Exception as problem:
        _LOG.exception("The %s to %s failed", noun, path)
        fail(f"The {noun} failed: {problem}")
