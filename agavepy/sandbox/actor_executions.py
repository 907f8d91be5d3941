"""Executions: the messages that started them, what they printed, the results they sent, how they ended."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Any

from . import actor_channels, durable
from .actor_records import new_id
from .api import BadRequest
from .clock import Clock, utc
from .disk import Disk
from .store import Store

Document = dict[str, Any]

LONGEST_LOG_BYTES = 1 << 20
LONGEST_RESULT_BYTES = 128 << 10
MOST_RESULTS = 1000
WAITING, RUNNING, OVER = "SUBMITTED", "RUNNING", ("COMPLETE", "ERROR")

_ARRIVING, _TAKEN = "arriving", "taken-"
_LASTING = {"log", "results"}
_KIND, _MESSAGE = "actor-execution", "actor-message"


class ExecutionFolder:
    """The folder of one execution. Only ``work``, where the program runs, is the program's own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.work = path / "work"
        self.log = path / "log"
        self.message = path / "message"  # of bytes, while it waits
        self._results = path / "results"

    def make(self) -> None:
        """Make it, and those below it that last."""
        self._results.mkdir(mode=0o700, parents=True, exist_ok=True)

    def add_result(self, data: bytes) -> None:
        """Keep a result; what is too much for one execution is noted in the log instead."""
        number = len(os.listdir(self._results))
        if number >= MOST_RESULTS:
            return self.note(f"A result was dropped: an execution keeps {MOST_RESULTS}, and they were not taken.")
        arriving = self._results / _ARRIVING
        arriving.write_bytes(data)
        # The time goes first: numbers come again when results are taken while others arrive.
        os.rename(arriving, self._results / f"{time.monotonic_ns():020d}-{number:04d}")

    def take_result(self) -> bytes:
        """Return the oldest result, which is gone then; empty when there is none."""
        for name in self._results_in_order():
            taken = self._results / f"{_TAKEN}{name}"
            try:
                os.rename(self._results / name, taken)  # of two callers only one succeeds
            except FileNotFoundError:
                continue
            data = taken.read_bytes()
            taken.unlink()
            return data
        return b""

    def oldest_result(self) -> bytes:
        """Return the oldest result and leave it; empty when there is none."""
        for name in self._results_in_order():
            with contextlib.suppress(FileNotFoundError):  # somebody took it just now
                return (self._results / name).read_bytes()
        return b""

    def _results_in_order(self) -> list[str]:
        names = os.listdir(self._results) if self._results.is_dir() else ()
        return sorted(name for name in names if name[0].isdigit())

    def clear(self, disk: Disk) -> None:
        """Remove what is of use to a run only: log and results stay."""
        self.message.unlink(missing_ok=True)
        actor_channels.remove_left_over(self.path)
        if self.work.exists():
            disk.remove(self.work)

    def recover_results(self) -> None:
        """Undo what a tenant that was killed had begun to do with results."""
        for name in os.listdir(self._results) if self._results.is_dir() else ():
            if name == _ARRIVING:
                (self._results / name).unlink()
            elif name.startswith(_TAKEN):  # and given to nobody
                os.rename(self._results / name, self._results / name.removeprefix(_TAKEN))

    def note(self, line: str) -> None:
        """Add a line of the tenant's to the log."""
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"{line}\n")

    def log_text(self) -> str:
        """Return what the program printed, cut at one megabyte with a note."""
        try:
            with self.log.open("rb") as log:
                data = log.read(LONGEST_LOG_BYTES + 1)
        except FileNotFoundError:
            return ""
        text = data[:LONGEST_LOG_BYTES].decode("utf-8", "replace")
        return text if len(data) <= LONGEST_LOG_BYTES else f"{text}\n*** The log was cut here: it exceeds 1 MB. ***\n"


class Executions:
    """The executions of all actors. One that waits is a message in its actor's mailbox."""

    def __init__(self, store: Store, clock: Clock, disk: Disk, root: Path) -> None:
        self._store = store
        self._clock = clock
        self._disk = disk
        self._root = root
        root.mkdir(mode=0o700, exist_ok=True)

    def folder(self, actor_id: str, execution_id: str) -> ExecutionFolder:
        """Return the folder of an execution."""
        return ExecutionFolder(self._root / actor_id / execution_id)

    # In their order

    def add(self, actor: Document, message: Document, *, executor: str, api_server: str) -> Document:
        """
        Keep a message, and the execution it is to start; both are on disk when this returns.

        :param message: ``content_type``, ``environment``, and ``text`` or ``data`` (bytes).
        """
        execution = self._new(actor, executor, api_server)
        key = _key(execution)
        if "data" in message:
            self._keep_bytes(self.folder(actor["id"], execution["id"]), message["data"])
        kept = {name: value for name, value in message.items() if name != "data"}
        with self._store.transaction():
            self._store.put(_MESSAGE, key, kept, updated=self._clock.now())
            self._put(execution)
        return execution

    def all(self, actor_id: str) -> list[Document]:
        """Return an actor's executions, the oldest first."""
        found = [execution for _, execution in self._store.below(_KIND, actor_id)]
        return sorted(found, key=lambda each: int(each["number"]))

    def get(self, actor_id: str, execution_id: str) -> Document:
        """
        Return one of an actor's executions.

        :raises BadRequest: there is none of that id; Abaco answers 400 to that.
        """
        found = self.find(actor_id, execution_id)
        if found is None:
            text = f"No executions found with actor id of {actor_id} and execution id of {execution_id}."
            raise BadRequest(text)
        return found

    def find(self, actor_id: str, execution_id: str) -> Document | None:
        """Return one of an actor's executions, or None."""
        return self._store.get(_KIND, f"{actor_id}/{execution_id}")

    def message(self, execution: Document) -> Document:
        """Return the message of an execution that has not begun: ``content_type``, ``environment``, ``text``."""
        return self._store.get(_MESSAGE, _key(execution)) or {}

    def begin(self, execution: Document, worker_id: str) -> Document:
        """Note that an execution runs; its message is taken out of the mailbox."""
        with self._store.transaction():
            self._store.delete(_MESSAGE, _key(execution))
            begun = {"status": RUNNING, "workerId": worker_id, "startTime": utc(self._clock.now())}
            return self._put({**execution, **begun})

    def finish(self, execution: Document, *, status: str = "COMPLETE", reason: str = "", **facts: Any) -> None:
        """
        Note how an execution ended; of its folder, log and results stay.

        :param reason: why it did not end by itself; goes into its log as well.
        :param facts: further fields: ``exitCode``, ``cpu``, ``io``, ``runtime``.
        """
        now = utc(self._clock.now())
        folder = self.folder(execution["actorId"], execution["id"])
        if reason:
            folder.make()
            folder.note(reason)
        state = {"Status": "exited", "Running": False, "Error": reason, "ExitCode": facts.get("exitCode")}
        with self._store.transaction():
            self._store.delete(_MESSAGE, _key(execution))
            known = self.find(execution["actorId"], execution["id"])
            if known is not None:  # its actor may be gone
                state |= {"StartedAt": known["startTime"], "FinishedAt": now}
                self._put({**known, **facts, "status": status, "finishTime": now, "finalState": state})
        folder.clear(self._disk)

    def clear_left_over(self) -> None:
        """Remove from disk what a tenant that was killed had no more time for; none of the executions runs."""
        for actor in list(self._root.iterdir()):
            statuses = {each["id"]: each["status"] for each in self.all(actor.name)}
            for place in actor.iterdir():
                self._tidy(ExecutionFolder(place), statuses.get(place.name))
            if not statuses:
                actor.rmdir()

    def _tidy(self, folder: ExecutionFolder, status: str | None) -> None:
        if status is None:  # a message that was not kept, or one of an actor that is gone
            folder.clear(self._disk)
            self._disk.remove(folder.path)
            return
        if status in OVER and not _LASTING.issuperset(os.listdir(folder.path)):
            folder.clear(self._disk)
        folder.recover_results()

    def delete_all(self, actor_id: str) -> None:
        """Forget the executions of an actor."""
        for kind in (_KIND, _MESSAGE):
            for key, _ in self._store.below(kind, actor_id):
                self._store.delete(kind, key)

    def remove_folders(self, actor_id: str) -> None:
        """Remove what an actor's executions have left on disk."""
        folder = self._root / actor_id
        if folder.exists():
            self._disk.remove(folder)

    def _new(self, actor: Document, executor: str, api_server: str) -> Document:
        return {
            "id": new_id(),
            "actorId": actor["id"],
            "owner": actor["owner"],
            "executor": executor,
            "apiServer": api_server,
            "status": WAITING,
            "workerId": None,
            "cpu": 0,
            "io": 0,
            "runtime": 0,
            "exitCode": None,
            "finalState": None,
            "messageReceivedTime": utc(self._clock.now()),
            "startTime": None,
            "finishTime": None,
            "number": time.time_ns(),  # their order, whatever the tenant's clock says
        }

    def _keep_bytes(self, folder: ExecutionFolder, data: bytes) -> None:
        folder.make()
        arriving = self._disk.new_incoming()
        arriving.write_bytes(data)
        durable.replace(arriving, folder.message)

    def _put(self, execution: Document) -> Document:
        self._store.put(_KIND, _key(execution), execution, updated=self._clock.now())
        return execution


def _key(execution: Document) -> str:
    return f"{execution['actorId']}/{execution['id']}"
