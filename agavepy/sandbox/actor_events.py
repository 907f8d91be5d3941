"""What happens to an actor, told to the actor it is linked to and to its webhook."""

from __future__ import annotations

import concurrent.futures
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import requests

from .actor_registry import ActorRegistry, allows
from .api import ApiError, Call
from .clock import utc
from .imports import without_password

if TYPE_CHECKING:
    from .state import State

Document = dict[str, Any]

_LOG = logging.getLogger("agavepy.sandbox")
_TIMEOUT_S = (2, 5)  # to connect; to answer. A webhook is told once, and its answer means nothing


class ActorEvents:
    """
    Tells of ACTOR_READY, ACTOR_ERROR, EXECUTION_STARTED and EXECUTION_COMPLETE.

    :param send: puts a message into an actor's mailbox.
    """

    def __init__(self, state: State, registry: ActorRegistry, send: Callable[..., Document]) -> None:
        self._state = state
        self._registry = registry
        self._send = send
        self._posting = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="actor-webhook")  # one: in order
        self._posts: set[concurrent.futures.Future[None]] = set()

    def tell(self, actor: Document, event: str, execution: Document | None = None) -> None:
        """Tell of an event of an actor, or of one of its executions."""
        if not actor["link"] and not actor["webhook"]:
            return
        told = self._told(actor, event, execution or {})
        if actor["link"]:
            self._send_on(actor, told)
        if actor["webhook"]:
            post = self._posting.submit(_post, actor["webhook"], told)
            self._posts.add(post)
            post.add_done_callback(self._posts.discard)

    def wait_idle(self, timeout_s: float) -> None:
        """Return when every webhook has been told.

        :raises TimeoutError: not in time.
        """
        waiting = concurrent.futures.wait(set(self._posts), timeout_s).not_done
        if waiting:
            raise TimeoutError(f"After {timeout_s} s {len(waiting)} webhooks of actors have not answered.")

    def close(self) -> None:
        """Tell nobody else, and wait for the thread."""
        self._posting.shutdown(cancel_futures=True)

    def _told(self, actor: Document, event: str, execution: Document) -> Document:
        return {
            "tenant_id": self._state.tenant_id,
            "event_type": event,
            "event_time_utc": utc(self._state.clock.now()),
            "actor_id": actor["id"],
            "execution_id": execution.get("id"),
            "status": execution.get("status") or actor["status"],
            "exit_code": execution.get("exitCode"),
        }

    def _send_on(self, actor: Document, told: Document) -> None:
        """Send an event to the linked actor, if the owner may still do that."""
        try:
            linked = self._registry.find(actor["link"])
        except ApiError:
            return  # it has been deleted meanwhile
        owner = Call(actor["owner"], "actors.sendMessage", actor["apiServer"])
        if allows(self._registry.level_of(owner, linked), "EXECUTE") and not self._registry.leads_back(linked, actor):
            message = {"text": str(told), "content_type": "application/json", "environment": {}}
            self._send(linked, message, executor=actor["owner"], api_server=actor["apiServer"])


def _post(url: str, told: Document) -> None:
    try:
        with requests.Session() as session:
            session.trust_env = False  # the machine's own credentials are not the actor's to use
            session.post(url, json=told, timeout=_TIMEOUT_S, allow_redirects=False).close()
    except (requests.RequestException, ValueError) as problem:
        _LOG.info("The webhook %s was not reached: %s", without_password(url), type(problem).__name__)
