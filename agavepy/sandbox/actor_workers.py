"""The workers of actors: who is there, who is busy, how many there should be."""

from __future__ import annotations

from typing import Any

from .actor_records import new_id
from .clock import Clock, utc

Document = dict[str, Any]

READY, BUSY, LEAVING = "READY", "BUSY", "SHUTDOWN_REQUESTED"


class ActorWorkers:
    """
    The workers of every actor, which live as long as the tenant runs. Its caller sees to it that one thread is here.

    An actor has as many as were asked for; while messages wait it may get more, up to its ``maxWorkers``.
    """

    def __init__(self, clock: Clock, *, tenant_id: str) -> None:
        self._clock = clock
        self._tenant_id = tenant_id
        self._of: dict[str, dict[str, Document]] = {}

    def of(self, actor_id: str) -> list[Document]:
        """Return an actor's workers, the first started first."""
        return [dict(worker) for worker in self._of.get(actor_id, {}).values()]

    def ensure(self, actor: Document, *, least: int) -> None:
        """Have at least so many workers of an actor."""
        mine = self._of.setdefault(actor["id"], {})
        while len(mine) < least:
            worker = self._new(actor)
            mine[worker["id"]] = worker

    def take(self, actor: Document) -> str | None:
        """Return an idle worker, which is busy from now on; None when there is none and may be no more."""
        mine = self._of.get(actor["id"], {})
        if not any(worker["status"] == READY for worker in mine.values()) and len(mine) < (actor["maxWorkers"] or 0):
            self.ensure(actor, least=len(mine) + 1)
        idle = next((worker for worker in mine.values() if worker["status"] == READY), None)
        if idle is None:
            return None
        idle["status"], idle["lastExecutionTime"] = BUSY, utc(self._clock.now())
        return str(idle["id"])

    def release(self, actor_id: str, worker_id: str, *, most: int) -> None:
        """Have a worker be idle again; it leaves if that was asked for, or if there are more than ``most``."""
        mine = self._of.get(actor_id, {})
        worker = mine.get(worker_id)
        if worker is None:
            return
        if worker["status"] == LEAVING or len(mine) > most:
            del mine[worker_id]
        else:
            worker["status"], worker["lastHealthCheckTime"] = READY, utc(self._clock.now())

    def dismiss(self, actor_id: str, worker_id: str) -> bool:
        """Let a worker go, a busy one after its execution; False when there is none of that id."""
        mine = self._of.get(actor_id, {})
        worker = mine.get(worker_id)
        if worker is not None and worker["status"] == READY:
            del mine[worker_id]
        elif worker is not None:
            worker["status"] = LEAVING
        return worker is not None

    def forget(self, actor_id: str) -> None:
        """Let all workers of an actor go at once."""
        self._of.pop(actor_id, None)

    def _new(self, actor: Document) -> Document:
        worker_id, now = new_id(), utc(self._clock.now())
        return {
            "id": worker_id,
            "status": READY,
            "image": actor["image"],
            "location": "processes of this machine",
            "cid": "",
            "chName": f"worker_{worker_id}",
            "hostId": "0",
            "hostIp": "127.0.0.1",
            "tenant": self._tenant_id,
            "createTime": now,
            "lastExecutionTime": "None",  # Abaco writes the word
            "lastHealthCheckTime": now,
        }
