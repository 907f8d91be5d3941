"""The threads that carry out what actors have to do: each mailbox in its order, one message a worker."""

from __future__ import annotations

import collections
import dataclasses
import logging
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from . import actor_cron
from .actor_events import ActorEvents
from .actor_executions import RUNNING, WAITING, Executions
from .actor_images import Images
from .actor_registry import ActorRegistry
from .actor_run import LOST, PROCESS, ActorRun
from .actor_workers import ActorWorkers
from .api import BadRequest
from .containers import UnknownImage
from .process import kill_left_over

if TYPE_CHECKING:
    from .state import State

Document = dict[str, Any]

_LOG = logging.getLogger("agavepy.sandbox")
_THREADS = 4  # executions that run at the same time, of all actors
_LOOK_S = 1.0  # how often schedules are looked at
_MOST_WAITING = 10_000  # messages of one actor
_DELETED = "The actor was deleted while the execution was running."
_PURGED = "The actor's mailbox was emptied before the execution began."


@dataclasses.dataclass
class _Task:
    """What a thread has to do: to make an actor's image ready, to send what its schedule wants, to run an execution."""

    actor: Document
    execution_id: str = ""
    worker_id: str = ""
    is_alarm: bool = False
    run: ActorRun | None = None


class ActorRunner:
    """
    Runs executions as processes. Actors and executions are in the store; the mailboxes here only say what is next.
    """

    def __init__(self, state: State, registry: ActorRegistry, executions: Executions) -> None:
        self._state = state
        self._registry = registry
        self._executions = executions
        self._images = Images(state.images)
        self._workers = ActorWorkers(state.clock, tenant_id=state.tenant_id)
        self._mailboxes: dict[str, collections.deque[str]] = {}
        self._preparing: collections.deque[str] = collections.deque()
        self._alarms: dict[str, str] = {}  # actor → the hour at which its schedule wants it to run
        self._events = ActorEvents(state, registry, self.send)
        self._tasks: list[_Task] = []  # that threads are busy with
        self._threads: list[threading.Thread] = []
        self._stopping = self._letting_go = False
        self._changed = threading.Condition()

    # From outside

    def start(self) -> None:
        """Take up what an earlier tenant on this root has left, and start the threads."""
        self._kill_left_over()
        for actor in list(self._registry.all()):
            self._take_up(actor)
        self._executions.clear_left_over()
        self._threads = [
            threading.Thread(target=self._work, name=f"actor-runner-{number}", daemon=True)
            for number in range(_THREADS)
        ]
        for thread in self._threads:
            thread.start()

    def _kill_left_over(self) -> None:
        """End the processes of a tenant that could not do so itself: it was killed."""
        for left in list(self._state.store.all(PROCESS)):
            kill_left_over(left["pid"], begun=left["begun"], mark=f"_abaco_execution_id={left['execution']}")
            if left["container"]:
                self._remove_container(left["container"])
        for worker_id in [left["worker"] for left in self._state.store.all(PROCESS)]:
            self._state.store.delete(PROCESS, worker_id)

    def _remove_container(self, name: str) -> None:
        try:
            self._images.engine(name).remove(name)
        except UnknownImage:
            _LOG.warning("The container %s of an earlier tenant may still run: no engine answers", name)

    def _take_up(self, actor: Document) -> None:
        mailbox = self._mailboxes[actor["id"]] = collections.deque()
        for execution in self._executions.all(actor["id"]):
            if execution["status"] == RUNNING:
                self._executions.finish(execution, status="ERROR", reason=LOST)
            elif execution["status"] == WAITING:
                mailbox.append(execution["id"])
        self.set_alarm(actor)
        if actor["status"] == "READY":
            self._workers.ensure(actor, least=actor["workers"])
        else:
            self._registry.change(actor["id"], status="SUBMITTED", statusMessage=" ")  # an image may be known by now
            self._preparing.append(actor["id"])

    def let_go(self) -> None:
        """End the waiting for executions: the tenant is about to stop."""
        with self._changed:
            self._letting_go = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Kill what runs, end the threads. Messages that wait are run after the next start."""
        self._images.close()
        with self._changed:
            self._stopping = True
            running = [task.run for task in self._tasks if task.run]
            self._changed.notify_all()
        for run in running:
            run.kill(LOST)
        for thread in self._threads:
            thread.join()
        self._threads = []
        self._events.close()

    def prepare(self, actor: Document) -> None:
        """Have the image of a new or changed actor made ready; until its status says so there are no workers."""
        with self._changed:
            self._workers.forget(actor["id"])
            self._mailboxes.setdefault(actor["id"], collections.deque())
            self._preparing.append(actor["id"])
            self._changed.notify_all()
        self.set_alarm(actor)

    def set_alarm(self, actor: Document) -> None:
        """Have an actor get a message when its schedule says so."""
        with self._changed:
            self._alarms.pop(actor["id"], None)
            if actor["cronOn"]:
                self._alarms[actor["id"]] = actor["cronNextEx"]
            self._changed.notify_all()

    def check_room(self, actor_id: str) -> None:
        """:raises BadRequest: too many messages wait for the actor."""
        if self.waiting(actor_id) >= _MOST_WAITING:
            raise BadRequest(f"{_MOST_WAITING} messages wait for this actor: let it work, or empty its mailbox.")

    def send(self, actor: Document, message: Document, *, executor: str, api_server: str) -> Document:
        """Put a message into an actor's mailbox; return the execution it starts. Who has no worker gets one."""
        execution = self._executions.add(actor, message, executor=executor, api_server=api_server)
        current = self._registry.get(actor["id"]) or actor
        with self._changed:
            if actor["id"] in self._mailboxes:  # else it was deleted meanwhile
                self._mailboxes[actor["id"]].append(execution["id"])
                if current["status"] == "READY":
                    self._workers.ensure(current, least=1)
                self._changed.notify_all()
        return execution

    def waiting(self, actor_id: str) -> int:
        """Return how many messages are in an actor's mailbox."""
        with self._changed:
            return len(self._mailboxes.get(actor_id, ()))

    def purge(self, actor_id: str) -> None:
        """Empty an actor's mailbox; the executions end with the reason."""
        with self._changed:
            mailbox = self._mailboxes.get(actor_id, collections.deque())
            purged = list(mailbox)
            mailbox.clear()
            self._changed.notify_all()
        for execution_id in purged:
            execution = self._executions.find(actor_id, execution_id)
            if execution is not None:
                self._executions.finish(execution, status="ERROR", reason=_PURGED)

    def forget(self, actor_id: str, *, timeout_s: float) -> None:
        """Kill what runs of an actor that has been deleted, and wait for that."""
        with self._changed:
            self._mailboxes.pop(actor_id, None)
            self._alarms.pop(actor_id, None)
            self._workers.forget(actor_id)
            running = [task.run for task in self._tasks if task.run and task.actor["id"] == actor_id]
            self._changed.notify_all()
        for run in running:
            run.kill(_DELETED)
        with self._changed:
            self._changed.wait_for(lambda: not any(task.actor["id"] == actor_id for task in self._tasks), timeout_s)

    def wait_for(self, actor_id: str, execution_id: str, *, timeout_s: float) -> bool:
        """Return whether an execution is over, once it is or the time is up or the tenant stops."""
        with self._changed:
            self._changed.wait_for(lambda: self._letting_go or not self._has(actor_id, execution_id), timeout_s)
            return not self._has(actor_id, execution_id)

    def _has(self, actor_id: str, execution_id: str) -> bool:
        return execution_id in self._mailboxes.get(actor_id, ()) or any(
            task.execution_id == execution_id for task in self._tasks
        )

    def run_until_idle(self, timeout_s: float) -> None:
        """
        Return when no message is left that a worker could take, and every webhook has been told.

        :raises TimeoutError: not in time; the text names what is left.
        """
        with self._changed:
            self._changed.notify_all()  # a clock that moves only when told to may have moved
            if not self._changed.wait_for(self._is_idle, timeout_s):
                left = [task.execution_id or task.actor["id"] for task in self._tasks]
                waiting = [execution_id for mailbox in self._mailboxes.values() for execution_id in mailbox]
                names = ", ".join([*left, *self._preparing, *waiting])
                raise TimeoutError(f"After {timeout_s} s these actors or executions are not done: {names}")
        self._events.wait_idle(timeout_s)

    def _is_idle(self) -> bool:
        is_quiet = not self._preparing and not self._tasks and not any(self._due())
        return is_quiet and not any(self._can_work(each) for each in self._mailboxes)

    def _due(self) -> list[str]:
        now = self._state.clock.now()
        return [actor_id for actor_id, hour in self._alarms.items() if actor_cron.is_due(hour, now=now)]

    def _can_work(self, actor_id: str) -> bool:
        return bool(self._mailboxes[actor_id]) and bool(self._workers.of(actor_id))

    # Workers

    def workers(self, actor_id: str) -> list[Document]:
        """Return the workers of an actor."""
        with self._changed:
            return self._workers.of(actor_id)

    def ensure_workers(self, actor: Document) -> None:
        """Have as many workers as an actor asks for; those of an actor that is not ready come when it is."""
        with self._changed:
            if actor["status"] == "READY":
                self._workers.ensure(actor, least=actor["workers"])
                self._changed.notify_all()

    def dismiss_worker(self, actor_id: str, worker_id: str) -> bool:
        """Let a worker go; False when there is none of that id."""
        with self._changed:
            dismissed = self._workers.dismiss(actor_id, worker_id)
            self._changed.notify_all()
            return dismissed

    # In the threads

    def _work(self) -> None:
        while (task := self._next()) is not None:
            try:
                self._carry_out(task)
            finally:
                self._done(task)

    def _next(self) -> _Task | None:
        """Return what is to be done next, waiting for it; None when the tenant stops."""
        with self._changed:
            while not self._stopping:
                task = next(self._offers(), None)
                if task is not None:
                    self._tasks.append(task)
                    return task
                self._changed.wait(_LOOK_S if self._alarms else None)
            return None

    def _offers(self) -> Iterator[_Task]:
        while self._preparing:
            actor = self._registry.get(self._preparing.popleft())
            if actor is not None:
                yield _Task(actor)
        for actor_id in self._due():
            del self._alarms[actor_id]
            actor = self._registry.get(actor_id)
            if actor is not None:
                yield _Task(actor, is_alarm=True)
        for actor_id in list(self._mailboxes):
            actor = self._registry.get(actor_id) if self._can_work(actor_id) else None
            worker_id = self._workers.take(actor) if actor else None
            if actor and worker_id:
                mailbox = self._mailboxes[actor_id] = self._mailboxes.pop(actor_id)  # the others' turn comes first now
                yield _Task(actor, mailbox.popleft(), worker_id)

    def _done(self, task: _Task) -> None:
        actor_id = task.actor["id"]
        actor = self._registry.get(actor_id) or task.actor
        with self._changed:
            self._tasks.remove(task)
            if task.worker_id:
                waiting = bool(self._mailboxes.get(actor_id))
                most = max(actor["workers"], actor["maxWorkers"] or 0) if waiting else actor["workers"]
                self._workers.release(actor_id, task.worker_id, most=most)
            self._changed.notify_all()

    def _carry_out(self, task: _Task) -> None:
        try:
            if task.execution_id:
                self._execute(task)
            elif task.is_alarm:
                self._ring(task.actor)
            else:
                self._prepare(task.actor)
        except UnknownImage as problem:
            self._give_up(task.actor, str(problem))
        except Exception as problem:
            _LOG.exception("Actor %s failed unexpectedly", task.actor["id"])
            self._give_up(task.actor, f"The sandbox failed: {problem}")

    def _prepare(self, actor: Document) -> None:
        self._images.prepare(actor["image"])
        ready = self._registry.change(actor["id"], status="READY", statusMessage=" ")
        if ready is not None:
            self.ensure_workers(ready)
            self._events.tell(ready, "ACTOR_READY")

    def _ring(self, actor: Document) -> None:
        """Send an actor the message of its schedule, and set the next alarm."""
        comes = actor_cron.following(actor["cronSchedule"], actor["cronNextEx"], now=self._state.clock.now())
        changed = self._registry.change(actor["id"], cronNextEx=comes)
        if changed is not None:
            message = {"text": actor_cron.MESSAGE, "content_type": "str", "environment": {}}
            self.send(changed, message, executor=actor["owner"], api_server=actor["apiServer"])
            self.set_alarm(changed)

    def _give_up(self, actor: Document, reason: str) -> None:
        with self._changed:
            self._workers.forget(actor["id"])
        failed = self._registry.change(actor["id"], status="ERROR", statusMessage=reason)
        if failed is not None:
            self._events.tell(failed, "ACTOR_ERROR")

    def _execute(self, task: _Task) -> None:
        execution = self._executions.find(task.actor["id"], task.execution_id)
        if execution is None or execution["status"] != WAITING:
            return
        run = ActorRun(
            self._state,
            self._executions,
            self._images,
            actor=task.actor,
            worker_id=task.worker_id,
            on_begun=lambda begun: self._events.tell(task.actor, "EXECUTION_STARTED", begun),
        )
        with self._changed:
            task.run = run
            is_late = self._stopping or task.actor["id"] not in self._mailboxes
        if is_late:
            return  # stop() or forget() could not see it
        run.run(execution)
        ended = self._executions.find(task.actor["id"], task.execution_id)
        if ended is not None and ended["status"] != WAITING:
            self._events.tell(task.actor, "EXECUTION_COMPLETE", ended)
