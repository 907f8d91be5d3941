"""One class a service; one method an operationId, spelt as in the YAML.

A method takes the :class:`~agavepy.sandbox.api.Call` and the operation's parameters as keywords. It returns a
document, a list of documents, None (no payload), or one of the classes of :mod:`agavepy.sandbox.api`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from ..api import NOTHING, Call

if TYPE_CHECKING:
    from ..events import Subject
    from ..state import State

# What a document of routes that no YAML declares says about who may call them.
BEARER: dict[str, Any] = {
    "securityDefinitions": {"Bearer": {"type": "apiKey", "name": "Authorization", "in": "header"}},
    "security": [{"Bearer": []}],
}


_Method = TypeVar("_Method", bound=Callable[..., Any])


def brief(method: _Method) -> _Method:
    """Mark an operation that finds some documents by their keys and does nothing else.

    It is answered in the server's own thread: the way into another one would take longer than the work.
    """
    method.is_brief_write = False  # type: ignore[attr-defined]
    return method


def brief_write(method: _Method) -> _Method:
    """Mark an operation that reads or changes one short file and some documents.

    It is answered as those that are :func:`brief`, if its body is short and nobody else is writing.
    """
    method.is_brief_write = True  # type: ignore[attr-defined]
    return method


class Service:
    """What every service is given."""

    name = ""
    envelope_keys: tuple[str, ...] = ("status", "message", "version", "result")  # in the order they are written
    error_result: Any = NOTHING  # what an error's envelope holds in ``result``
    takes_conventions = True  # whether ``naked``, ``pretty``, ``filter`` and paging mean something here
    key_parameter = ""  # the query parameter that may stand in for a token

    def __init__(self, state: State) -> None:
        self.state = state
        self.store = state.store
        self.clock = state.clock

    def check_caller(self, call: Call) -> None:
        """Refuse who may use none of the operations; :raises ApiError: this caller may not."""

    def subject(self, uuid: str) -> Subject | None:
        """Return the resource of the service with this uuid, for events and notifications; None: there is none."""
        return None

    def start(self) -> None:
        """Begin what goes on behind the service's answers; all services are there by now."""

    def holder_of(self, key: str, path: Mapping[str, str]) -> str:
        """
        Return the user in whose name a ``key_parameter`` opens what the path parameters name.

        :raises BadRequest: it does not.
        """
        raise NotImplementedError(f"{type(self).__name__} takes no {self.key_parameter}")

    def wait_idle(self, timeout_s: float) -> None:
        """Return when nothing goes on behind the service's answers; :raises TimeoutError: it still does."""

    def let_go(self) -> None:
        """Have nobody wait for anything any more: the tenant stops, and requests are to end."""

    def close(self) -> None:
        """Give up what goes on behind the service's answers, and wait for its threads."""
