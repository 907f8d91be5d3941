"""
Inside an actor: what it was sent, and what it sends back. Outside: functions run by actors, as futures.

An actor reads :func:`get_context`, and answers with :func:`send_bytes_result` or :func:`send_python_result`.
:class:`AbacoExecutor` sends functions to an actor whose image can call them.
"""

from __future__ import annotations

import ast
import json
import logging
import os
import select
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import TimeoutError
from typing import TYPE_CHECKING, Any

from .agave import Agave
from .errors import AgaveError
from .records import AttrDict, wrap

if TYPE_CHECKING:
    from types import ModuleType

log = logging.getLogger("agavepy")

# Where the platform mounts them in a container; the two variables lead elsewhere.
BINARY_MESSAGE = "/_abaco_binary_data"
RESULTS = "/_abaco_results.sock"
BINARY_MESSAGE_VARIABLE = "_abaco_binary_data_file"
RESULTS_VARIABLE = "_abaco_results_socket"

FIRST_BYTE_S = 5.0  # for the first byte of a message: the other side may open the pipe later than we do
LITTLE_MORE_S, MUCH_MORE_S = 0.05, 2.0  # for the next one, of a message that fits into a pipe and of a longer one
PIPE_BYTES = 1 << 16

EXECUTOR_NAME = "agpy_abaco_executor"
IMAGES = {
    "py3": "abacosamples/py3_func:dev",
    "py3-scipy": "abacosamples/py3_sci_base_func",
    "sd2e-jupyter": "sd2e/jupyteruser_func",
}
POLL_S = 0.5
SLOWEST_POLL_S = 5.0
_CONTEXT = {
    "raw_message": ("MSG",),
    "content_type": ("_abaco_Content-Type", "_abaco_Content_Type"),  # servers have either
    "actor_repo": ("_abaco_container_repo",),
    "actor_name": ("_abaco_actor_name",),
    "actor_id": ("_abaco_actor_id",),
    "actor_dbid": ("_abaco_actor_dbid",),
    "execution_id": ("_abaco_execution_id",),
    "worker_id": ("_abaco_worker_id",),
    "username": ("_abaco_username",),
    "state": ("_abaco_actor_state",),
}


# Inside an actor


def get_context() -> AttrDict:
    """
    Return what the actor was sent, and by whom.

    ``raw_message`` (text), ``message_dict`` (its record, where it is a dict in Python's or JSON's notation; else
    empty), ``raw_message_parse_log`` (why it is empty), ``content_type``, ``username``, ``state``, ``actor_id``,
    ``actor_dbid``, ``actor_name``, ``actor_repo``, ``execution_id``, ``worker_id``; None where the environment does
    not say. The environment itself follows, under its own names.
    """
    context = {name: _first(variables) for name, variables in _CONTEXT.items()}
    message, problem = _read_message(context["raw_message"])
    # Last, so that no variable that came with a message passes for one of ours.
    return AttrDict({**os.environ, **context, "message_dict": message, "raw_message_parse_log": problem})


def get_client() -> Agave:
    """
    Return a client that acts as the caller of the actor; outside an actor, one of the session on disk.

    :raises AgaveError: neither is there.
    """
    token, api_server = _first(["_abaco_access_token"]), _first(["_abaco_api_server"])
    if token:
        return Agave(api_server=api_server, token=token)
    if api_server:  # a development server, which looks at nothing
        return Agave(api_server=api_server, jwt="123", jwt_header_name="X-JWT-Assertion-dev_sandbox")
    try:
        return Agave.restore()
    except Exception as error:
        raise AgaveError(
            f"No client: this is no actor that was given a token, and there is no session. {error}"
        ) from error


def get_binary_message() -> bytes:
    """
    Return the message that was sent as bytes; empty where there is none.

    :raises FileNotFoundError: this is no actor, or it was sent text.
    """
    path = os.environ.get(BINARY_MESSAGE_VARIABLE) or BINARY_MESSAGE
    pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a reader that blocks would wait for a message for ever
    try:
        return _read_all(pipe)
    finally:
        os.close(pipe)


def update_state(state: Any) -> None:
    """Replace the state of this actor, which is not stateless, by anything that is JSON."""
    ag = get_client()
    try:
        ag.actors.updateState(actorId=get_context()["actor_id"], body=state)
    finally:
        ag.close()


def send_python_result(obj: Any) -> None:
    """
    Send an object as a result of this execution; cloudpickle writes it.

    :raises AgaveError: it cannot be written, or there is nobody to take it.
    """
    try:
        data = _cloudpickle().dumps(obj)
    except Exception as error:  # whatever an object's own __reduce__ may raise
        raise AgaveError(f"A result of type {type(obj).__name__} cannot be pickled: {error}") from error
    send_bytes_result(data)


def send_bytes_result(b: bytes) -> None:
    """
    Send bytes as a result of this execution; there may be several.

    :raises AgaveError: they are no bytes, too many for one datagram, or there is nobody to take them.
    """
    if not isinstance(b, bytes):
        raise AgaveError(f"send_bytes_result takes bytes, not {type(b).__name__}: send_python_result takes any object.")
    path = os.environ.get(RESULTS_VARIABLE) or RESULTS
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as results:
        try:
            results.connect(path)
            results.send(b)
        except OSError as error:
            raise AgaveError(f"{path} takes no result of {len(b)} bytes: {error.strerror}.") from error


def _first(variables: Sequence[str]) -> str | None:
    return next((os.environ[name] for name in variables if name in os.environ), None)


def _read_message(text: str | None) -> tuple[AttrDict, str]:
    """Return a message as a record, and why it is none."""
    problem = "Error parsing message: there is none"
    for read in (ast.literal_eval, json.loads) if text is not None else ():
        try:
            value = read(text)  # type: ignore[arg-type]  # there is a text
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
            problem = f"Error parsing message: {error}"
        else:
            return (wrap(value) if isinstance(value, dict) else AttrDict()), ""
    return AttrDict(), problem


def _read_all(pipe: int) -> bytes:
    waiting = select.poll()
    waiting.register(pipe, select.POLLIN)
    data, pause_s = bytearray(), FIRST_BYTE_S
    while waiting.poll(pause_s * 1000):
        frame = os.read(pipe, PIPE_BYTES)
        if not frame:  # the writer has closed it
            break
        data += frame
        # Not every writer closes the pipe. What fits into it is there at once; of more, the rest has to come first.
        pause_s = LITTLE_MORE_S if len(data) < PIPE_BYTES else MUCH_MORE_S
    return bytes(data)


def _cloudpickle() -> ModuleType:
    try:
        import cloudpickle
    except ImportError as error:
        raise AgaveError("Functions and results travel by cloudpickle: python -m pip install cloudpickle") from error
    return cloudpickle  # type: ignore[no-any-return]


# Functions run by an actor


class AbacoExecutor:
    """
    An actor that calls functions: ``executor.submit(function, argument).result()``.

    Whoever can write the actor's results can run code here, since they are pickles: use actors of people you trust.

    :param ag: a client that is logged in.
    :param actor_id: of an actor that is there already; None makes one, which :meth:`delete` removes.
    :param image: of the actor to make; it calls the function it is sent.
    :param context: names an image instead: ``py3``, ``py3-scipy`` or ``sd2e-jupyter``.
    :param num_workers: that serve the actor.
    :param timeout: seconds until the actor is ready; a large image takes a while.
    :raises AgaveError: the actor could not be made, or is not ready in time.
    """

    def __init__(
        self,
        ag: Agave,
        actor_id: str | None = None,
        image: str | None = None,
        context: str | None = None,
        num_workers: int = 1,
        timeout: float = 60,
    ) -> None:
        self.ag = ag
        self.timeout = timeout
        self.num_workers = num_workers
        known = ag.actors.get(actorId=actor_id) if actor_id else self._registered(image or _image_of(context))
        self.actor_id = str(actor_id or known["id"])
        self.image = known.get("image")
        self.status = known.get("status")
        self.wait_until_ready(timeout)
        if num_workers > 1:
            self._add_workers(num_workers)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.actor_id} {self.image} {self.status}>"

    def submit(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> AbacoAsyncResponse:
        """Have ``fn(*args, **kwargs)`` called by the actor; return what its result will be found in."""
        message = _cloudpickle().dumps({"func": fn, "args": args, "kwargs": kwargs})
        answer = self.ag.actors.sendBinaryMessage(
            actorId=self.actor_id, message=message, headers={"Content-Type": "application/octet-stream"}
        )
        execution_id = answer.get("executionId") if isinstance(answer, Mapping) else None
        if not execution_id:
            raise AgaveError(f"The actor {self.actor_id} took the call and named no execution.")
        return AbacoAsyncResponse(self.ag, self.actor_id, execution_id)

    def map(
        self,
        fn: Callable[..., Any],
        args_list: Sequence[Sequence[Any]] = (),
        kwargs_list: Sequence[Mapping[str, Any]] | None = None,
    ) -> list[AbacoAsyncResponse]:
        """
        Have ``fn`` called once for each element of ``args_list``; return what the results will be found in.

        :param args_list: the positional arguments of each call.
        :param kwargs_list: the keywords of each call, as many.
        :raises AgaveError: the lists differ in length.
        """
        kwargs_list = kwargs_list or [{} for _ in args_list]
        if len(args_list) != len(kwargs_list):
            raise AgaveError(f"map takes lists of equal length, not {len(args_list)} and {len(kwargs_list)}.")
        return [self.submit(fn, *args, **kwargs) for args, kwargs in zip(args_list, kwargs_list, strict=True)]

    def blocking_call(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> list[Any]:
        """Have ``fn(*args, **kwargs)`` called by the actor, wait, and return the results it sent."""
        return self.submit(fn, *args, **kwargs).result()

    def delete(self) -> None:
        """Remove the actor."""
        self.ag.actors.delete(actorId=self.actor_id)

    def wait_until_ready(self, timeout: float | None = None) -> None:
        """
        Return once the actor is ready.

        :param timeout: seconds; None waits for ever.
        :raises AgaveError: it is not in time, or never will be.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.status != "READY":
            if self.status == "ERROR":
                raise AgaveError(f"The actor {self.actor_id} with image {self.image} is in ERROR.{self._explained()}")
            if deadline is not None and time.monotonic() >= deadline:
                raise AgaveError(f"The actor {self.actor_id} is {self.status} after {timeout} s: pass timeout=SECONDS.")
            time.sleep(POLL_S)
            self.status = self.ag.actors.get(actorId=self.actor_id).get("status")

    def _add_workers(self, count: int) -> None:
        try:
            self.ag.actors.addWorker(actorId=self.actor_id, body={"num": count})
        except Exception as error:
            raise AgaveError(
                f"The actor {self.actor_id} gets no {count} workers, and is left with one: {error}."
                f" AbacoExecutor(ag, actor_id={self.actor_id!r}) goes on with that."
            ) from error

    def _explained(self) -> str:
        message = str(self.ag.actors.get(actorId=self.actor_id).get("statusMessage") or "").strip()
        return f" {message}" if message else ""

    def _registered(self, image: str) -> Mapping[str, Any]:
        body = {"image": image, "stateless": True, "name": EXECUTOR_NAME}
        try:
            return self.ag.actors.add(body=body)  # type: ignore[no-any-return]
        except Exception as error:
            raise AgaveError(f"No actor with image {image!r} could be made: {error}") from error


class AbacoAsyncResponse:
    """One execution of an actor, as a future."""

    def __init__(self, ag: Agave, actor_id: str, execution_id: str) -> None:
        self.ag = ag
        self.actor_id = actor_id
        self.execution_id = execution_id
        self.status = "SUBMITTED"
        self._exit_code: int | None = None

    def __repr__(self) -> str:
        return f"<execution {self.execution_id} of actor {self.actor_id} {self.status}>"

    def done(self) -> bool:
        """Ask the server; tell whether the execution has ended."""
        self._update_status()
        return self._is_done()

    def running(self) -> bool:
        """Ask the server; tell whether the execution is still to end."""
        return not self.done()

    def result(self, timeout: float | None = None) -> list[Any]:
        """
        Wait for the end of the execution; return the results that it sent, in their order.

        :param timeout: seconds; None waits for ever.
        :raises concurrent.futures.TimeoutError: it has not ended in time.
        :raises AgaveError: it failed, and sent nothing.
        """
        self._wait(None if timeout is None else time.monotonic() + timeout)
        found = list(iter(self._next_result, b""))
        if not found and (self.status == "ERROR" or self._exit_code):
            raise AgaveError(
                f"The execution {self.execution_id} of actor {self.actor_id} ended {self.status} with exit code"
                f" {self._exit_code} and without a result. Its log ends: {self._end_of_log()}"
            )
        return [_cloudpickle().loads(each) for each in found]

    def _wait(self, deadline: float | None) -> None:
        pause_s = POLL_S
        while not self._is_done() and not self.done():
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"The execution {self.execution_id} is still {self.status}.")
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.1, SLOWEST_POLL_S)

    def _is_done(self) -> bool:
        return self.status in ("COMPLETE", "ERROR")

    def _update_status(self) -> None:
        execution = self.ag.actors.getExecution(actorId=self.actor_id, executionId=self.execution_id)
        self.status = str(execution.get("status"))
        self._exit_code = execution.get("exitCode")

    def _next_result(self) -> bytes:
        response = self.ag.actors.getOneExecutionResult(actorId=self.actor_id, executionId=self.execution_id)
        return bytes(response.content)

    def _end_of_log(self) -> str:
        logs = self.ag.actors.getExecutionLogs(actorId=self.actor_id, executionId=self.execution_id)
        return str(logs.get("logs") or "(nothing)").strip()[-500:]


def _image_of(context: str | None) -> str:
    wanted = str(context or "py3").lower()
    if wanted not in IMAGES:
        log.warning("AbacoExecutor knows no context %r, and takes 'py3'. Contexts: %s.", context, ", ".join(IMAGES))
    return IMAGES.get(wanted, IMAGES["py3"])
