"""A transfer or a job that is still going on, as a future: ``AgaveAsyncResponse(ag, ag.files.importData(…))``."""

from __future__ import annotations

import time
import urllib.parse
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .errors import AgavepyError

if TYPE_CHECKING:
    import requests

    from .agave import Agave

POLL_S = 1.0  # seconds between two looks at the history
RETRIES = 10  # while the history is not there yet, or not ours yet
RETRY_S = 1.5


class Error(AgavepyError):
    """The state of the work cannot be found out."""


class TimeoutError(Error):
    """The work has not ended in time."""


class AgaveAsyncResponse:
    """
    Work that the server goes on with after it has answered.

    ``status`` is the one seen last: FINISHED and FAILED are final.

    :param ag: a client that is logged in.
    :param response: what the operation returned; it has a ``status`` and links to its history.
    :param sleep: called with the seconds between two looks.
    :raises Error: it has not.
    """

    def __init__(self, ag: Agave, response: Any, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.ag = ag
        self.response = response
        self.status = str(_field(response, "status") or "")
        if not self.status:
            raise Error(f"An answer of type {type(response).__name__} without a status is of no work that goes on.")
        self.url = _history_address(ag, response)
        self.retries = 0
        self._sleep = sleep

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.status}>"

    def done(self) -> bool:
        """
        Ask the server; tell whether the work has ended.

        :raises Error: its history cannot be read.
        """
        self._update_status()
        return self._is_done()

    def result(self, timeout: float | None = None) -> str:
        """
        Wait for the end of the work; return ``FINISHED`` or ``FAILED``.

        :param timeout: seconds; None waits for ever.
        :raises TimeoutError: it has not ended in time.
        :raises Error: its history cannot be read.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._is_done() and not self.done():
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"{self.url}: still {self.status} after {timeout} s.")
            self._sleep(POLL_S)
        return self.status

    def _is_done(self) -> bool:
        return self.status in ("FINISHED", "FAILED")

    def _update_status(self) -> None:
        events = self._history()
        seen = [str(event.get("status", "")) for event in events]
        if any("COMPLETE" in status or "FINISHED" in status for status in seen):
            self.status = "FINISHED"  # a copy that was made once is there, whatever came later
        elif any("FAILED" in status for status in seen):
            self.status = "FAILED"
        else:
            self.status = str(max(events, key=lambda event: str(event.get("created", ""))).get("status"))

    def _history(self) -> list[Mapping[str, Any]]:
        response = self._answer()
        while response.status_code in (403, 404) and self.retries < RETRIES:
            self.retries += 1
            self._sleep(RETRY_S)
            response = self._answer()
        if response.status_code != 200:
            raise Error(f"{self.url} answered {response.status_code}: {response.text[:500]}")
        try:
            body = response.json()
        except ValueError as error:
            raise Error(f"{self.url} did not answer with JSON.") from error
        events = body.get("result") if isinstance(body, dict) else None
        if not events or not all(isinstance(event, dict) for event in events):
            raise Error(f"{self.url} did not answer with a history.")
        return list(events)

    def _answer(self) -> requests.Response:
        from . import auth
        from .http_errors import AgaveHTTPError
        from .transport import Request

        by = auth.Bearer(self.ag._current_token) if self.ag._token else None
        try:
            return self.ag._send(Request("history", "GET", self.url, {"Accept": "application/json"}, auth=by))
        except AgaveHTTPError as error:
            return error.response


def _history_address(ag: Agave, response: Any) -> str:
    """Return the link to the history, at our own server: a gateway may write another name into it, or version."""
    history = _field(_field(response, "_links"), "history")
    link = str(_field(history, "href") or "")
    if not link:
        raise Error("The answer has no link to its history, so that its end cannot be seen.")
    own = ag._base_url("history")
    if not link.startswith(f"{own}/"):
        parts = urllib.parse.urlsplit(link)
        link = own + urllib.parse.urlunsplit(parts._replace(scheme="", netloc=""))
    return link.replace("/2.0/", "/v2/")


def _field(record: Any, name: str) -> Any:
    return record.get(name) if isinstance(record, Mapping) else getattr(record, name, None)
