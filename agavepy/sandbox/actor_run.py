"""One execution of an actor: its program as a process, with what it is told and what it may use."""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import actor_channels
from .actor_description import memory_bytes
from .actor_executions import ExecutionFolder, Executions
from .actor_images import Images
from .oauth_clients import DEFAULT_CLIENT
from .process import Process, base_environment
from .tls import authority_file

if TYPE_CHECKING:
    from .state import State

Document = dict[str, Any]

PROCESS = "actor-process"  # the kind of document that tells of a process while there is one
LIMIT_S = 6 * 3600  # of one execution
LOST = "The tenant was stopped while the execution was running."

_CPU_S = 3600
_FILE_BLOCKS = 1 << 21  # of 512 bytes, one GiB: of each file it writes, its log included
_TOKEN = "_abaco_access_token"  # noqa: S105 - the name of a variable
# The limits of a process of this machine; an engine has its own for containers.
_LIMITED = 'ulimit -c 0; ulimit -t "$1"; ulimit -f "$2"; [ -z "$3" ] || ulimit -v "$3"; shift 3; exec "$@"'


class _NotBegun(Exception):
    """The run was called off before its program could begin."""


class ActorRun:
    """Carries out one execution that waits in the mailbox of an actor."""

    def __init__(
        self,
        state: State,
        executions: Executions,
        images: Images,
        *,
        actor: Document,
        worker_id: str,
        on_begun: Callable[[Document], None],
    ) -> None:
        self._state = state
        self._executions = executions
        self._images = images
        self._actor = actor
        self._worker_id = worker_id
        self._on_begun = on_begun
        self._process: Process | None = None
        self._reason = ""
        self._ending = threading.Lock()
        self._container = ""

    def kill(self, reason: str) -> None:
        """End the program, now or as soon as it begins; ``reason`` goes into the record of the execution."""
        with self._ending:
            self._reason = self._reason or reason
            process = self._process
        if process is not None:
            process.kill()

    def run(self, execution: Document) -> None:
        """
        Run the program to its end.

        :raises UnknownImage: the image cannot be run any more; the execution has ended with that.
        """
        folder = self._executions.folder(self._actor["id"], execution["id"])
        folder.make()
        try:
            facts = self._execute(execution, self._executions.message(execution), folder)
        except _NotBegun:
            return  # its message waits on
        except Exception as problem:
            self._executions.finish(execution, status="ERROR", reason=f"The program cannot be run: {problem}")
            if not isinstance(problem, OSError | ValueError):  # these two are about the message, not the actor
                raise
        else:
            self._executions.finish(execution, **facts)

    def _execute(self, execution: Document, message: Document, folder: ExecutionFolder) -> Document:
        """Return how the program ended, once every result it sent has been kept."""
        folder.work.mkdir(mode=0o700, exist_ok=True)
        with contextlib.ExitStack() as stack:
            results = stack.enter_context(actor_channels.results_socket(folder.path, folder.add_result))
            data = stack.enter_context(self._data(message, folder))
            token = stack.enter_context(self._token())
            own = self._context(execution, message, token)
            command, environment = self._program(execution, message, own, folder, {"results": results, "data": data})
            stack.callback(self._remove_container)
            process = Process(command, folder=folder.work, environment=environment, out=folder.log)
            stack.callback(self._state.store.delete, PROCESS, self._worker_id)
            with process.ending():
                facts = self._follow(process, execution)
        return facts

    def _follow(self, process: Process, execution: Document) -> Document:
        with self._ending:
            self._process = process
            if self._reason:
                raise _NotBegun
        place = {"worker": self._worker_id, "execution": execution["id"], "container": self._container}
        noted = {**place, "pid": process.pid, "begun": process.started}
        with self._state.store.transaction():
            self._state.store.put(PROCESS, self._worker_id, noted, updated=self._state.clock.now())
            execution = self._executions.begin(execution, self._worker_id)
        self._on_begun(execution)
        began = time.monotonic()
        process.go()
        code = process.wait(limit_s=LIMIT_S)
        return self._end(process, code, time.monotonic() - began)

    def _end(self, process: Process, code: int, took_s: float) -> Document:
        reason = self._reason
        if process.timed_out:
            reason = f"The execution exceeded {LIMIT_S} s and was killed."
        return {
            "status": "ERROR" if self._reason else "COMPLETE",
            "reason": reason,
            "exitCode": code if code >= 0 else 128 - code,  # as shells and containers report signals
            "cpu": int(process.usage.cpu_s * 1e9),
            "io": process.usage.disk_bytes,
            "runtime": round(took_s),
        }

    # What the program is given

    def _data(self, message: Document, folder: ExecutionFolder) -> contextlib.AbstractContextManager[Path | None]:
        if not folder.message.exists():
            return contextlib.nullcontext(None)
        return actor_channels.binary_message(folder.path, folder.message.read_bytes())

    @contextlib.contextmanager
    def _token(self) -> Iterator[str]:
        """Give an access token of the actor's owner, as long as the block; empty when the actor wants none."""
        owner, accounts = self._actor["owner"], self._state.accounts
        client = accounts.clients.find(owner, DEFAULT_CLIENT) if self._actor["token"] else None
        if client is None:
            yield ""
            return
        token = secrets.token_hex(16)
        lives_s = accounts.tokens.ttl_s
        accounts.tokens.issue(owner, client["consumerKey"], access=token, refresh=None, lives_s=lives_s)
        try:
            yield token
        finally:
            accounts.tokens.revoke(token)

    def _context(self, execution: Document, message: Document, token: str) -> dict[str, str]:
        actor, tenant = self._actor, self._state.tenant_id
        context = {
            "_abaco_execution_id": execution["id"],
            "_abaco_Content_Type": message["content_type"],
            "_abaco_username": execution["executor"],
            "_abaco_api_server": execution["apiServer"],
            "_abaco_actor_id": actor["id"],
            "_abaco_actor_dbid": f"{tenant.upper()}_{actor['id']}",
            "_abaco_actor_name": str(actor["name"]),  # "None" where it has none
            "_abaco_actor_state": str(actor["state"]),
            "_abaco_actor_revision": str(actor["revision"]),
            "_abaco_container_repo": actor["image"],
            "_abaco_worker_id": self._worker_id,
            _TOKEN: token,
            "_abaco_jwt_header_name": f"X-Jwt-Assertion-{tenant.replace('.', '-').title()}",
            "_actor_configs": "{}",
        }
        return {**context, "MSG": message["text"]} if "text" in message else context

    def _program(
        self,
        execution: Document,
        message: Document,
        own: dict[str, str],
        folder: ExecutionFolder,
        places: dict[str, Path | None],
    ) -> tuple[list[str], dict[str, str]]:
        """Return the command and its environment: on this machine, or in a container."""
        base = base_environment(folder.work)
        wished = {**self._actor["defaultEnvironment"], **message["environment"]}
        command = self._images.command(self._actor["image"])
        if command is None:
            return self._contained(execution, wished, own, places), {**base, **own}
        named = {"_abaco_results_socket": places["results"], "_abaco_binary_data_file": places["data"]}
        named["REQUESTS_CA_BUNDLE"] = self._authority()  # of the tenant that the program calls back
        own = {**own, **{name: str(place) for name, place in named.items() if place}}
        limits = [str(_CPU_S), str(_FILE_BLOCKS), self._kilobytes()]
        # What the tenant says cannot be overruled by who sends the message.
        return ["/bin/sh", "-c", _LIMITED, "sh", *limits, *command], {**base, **wished, **own}

    def _authority(self) -> Path | None:
        ca_file = authority_file(self._state.root)
        return ca_file if ca_file.exists() else None

    def _kilobytes(self) -> str:
        limit = self._actor["memLimit"]
        return str(memory_bytes(limit) >> 10) if limit else ""

    def _contained(
        self, execution: Document, wished: dict[str, str], own: dict[str, str], places: dict[str, Path | None]
    ) -> list[str]:
        actor, inside = self._actor, {"results": "/_abaco_results.sock", "data": "/_abaco_binary_data"}
        self._container = f"agavepy-{execution['id']}"
        return self._images.engine(actor["image"]).command(
            actor["image"],
            name=self._container,
            user=None if actor["useContainerUid"] else f"{actor['uid']}:{actor['gid']}",
            secret=own,
            environment={name: value for name, value in wished.items() if name not in own},
            mounts={place: inside[what] for what, place in places.items() if place},
            memory=actor["memLimit"],
            processors=str(actor["maxCpus"]) if actor["maxCpus"] else None,
        )

    def _remove_container(self) -> None:
        if self._container:
            self._images.engine(self._actor["image"]).remove(self._container)
