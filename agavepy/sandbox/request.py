"""One HTTP request on its way to a service."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from . import bodies
from .connection import Receive
from .routing import Match, WrongVerb
from .services import Service


class Request:
    """One request: its parts as the front needs them, and its line in the log of requests."""

    def __init__(self, scope: Mapping[str, Any], receive: Receive, *, time: float) -> None:
        self._receive = receive
        self.method: str = scope["method"]
        self.raw_path: str = scope["raw_path"].decode("latin-1")
        self.path = self.raw_path.lstrip("/")
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        self.authorization = self.headers.get("authorization", "")
        self.raw_query: str = scope["query_string"].decode("latin-1")
        pairs = urllib.parse.parse_qsl(self.raw_query, keep_blank_values=True) if self.raw_query else []
        self.query_pairs = pairs
        self.query: dict[str, str] = dict(pairs)
        self.noted: dict[str, Any] = {
            "method": self.method,
            "path": self.raw_path,
            "status": None,
            "operation": None,
            "user": None,
            "time": time,
        }
        self.found: Match | WrongVerb | None = None  # the operation, once it was looked for
        self.errand_of: str | None = None  # whose request this is without a token; empty: nobody's
        self.is_brief = False  # whether it is being answered in the server's own thread
        self.body_begun = False
        self.body_read = not bodies.has_body(self.headers)

    async def receive(self) -> dict[str, Any]:
        """Return the next ASGI message, and keep count of how far the body is."""
        self.body_begun = True
        message = await self._receive()
        self.body_read = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message

    def errand(self, user: str, *, method: str, path: str, query: str) -> Request:
        """Return another request, of a user who shows no token, that goes on with this one's body and headers."""
        scope = {
            "method": method,
            "raw_path": path.encode("latin-1"),
            "query_string": query.encode("latin-1"),
            "headers": [
                (name.encode("latin-1"), value.encode("latin-1"))
                for name, value in self.headers.items()
                if name != "authorization"
            ],
        }
        other = Request(scope, self.receive, time=self.noted["time"])
        other.errand_of = user
        return other

    @property
    def is_body_on_its_way(self) -> bool:
        """Whether the caller sends more: not if it waits for an answer to "Expect: 100-continue" first."""
        return not self.body_read and (self.body_begun or "expect" not in self.headers)


class Admitted(NamedTuple):
    """A request that has found its operation and may go on. ``query`` holds the search terms of the path too."""

    request: Request
    match: Match
    service: Service
    method: Callable[..., Any]
    user: str
    query: Mapping[str, str]
