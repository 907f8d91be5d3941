"""``/authorize``: a person at a browser allows a program to act for them."""

from __future__ import annotations

import collections
import secrets
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from oauthlib.common import add_params_to_uri
from oauthlib.oauth2.rfc6749 import errors

from . import oauth, pages
from .accounts import Accounts
from .answers import Answer
from .clock import Clock

_FORM_TTL_S = 600
_MOST_FORMS = 1000  # pages that wait to be filled in; the oldest are forgotten
# Only these reach oauthlib: with "response_mode" a caller could have a token written into the query.
_PARAMETERS = (
    "client_id",
    "response_type",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
)

Pairs = Sequence[tuple[str, str]]


class AuthorizeEndpoint:
    """Shows the page, reads what is filled in, and sends the browser on with a code or a token."""

    def __init__(self, server: oauth.Server, accounts: Accounts, clock: Clock) -> None:
        self._server = server
        self._accounts = accounts
        self._asked = _Asked(clock)

    def answer(
        self, method: str, headers: Mapping[str, str], query: Pairs, form: Mapping[str, str], *, own_origin: str
    ) -> Answer:
        """
        Answer a request to ``/authorize``.

        :param own_origin: this server as the browser calls it; forms of other pages are refused.
        """
        if method in ("GET", "HEAD"):
            return self._ask([(name, value) for name, value in query if name in _PARAMETERS and value])
        if method != "POST":
            return pages.error(405, f"This address takes GET and POST, not {method}.", {"allow": "GET, HEAD, POST"})
        if not _is_own_page(headers, own_origin):
            return pages.error(403, "The form came from another site. Nothing was done.")
        parameters = self._asked.take(form.get("ticket", ""))
        if parameters is None:
            return pages.error(
                400, "This page was used already, or is too old. Go back to the program and begin again."
            )
        return self._decided(parameters, form)

    def _ask(self, parameters: Pairs, *, message: str = "", username: str = "") -> Answer:
        """Return the page; or send the browser back, where the program made a mistake it can be told of."""
        try:
            self._server.validate_authorization_request(oauth.address("authorize", parameters))
        except errors.FatalClientError as error:
            return pages.error(400, _reason(error))
        except errors.OAuth2Error as error:
            return self._sent_back(parameters, [("error", error.error), ("error_description", error.description)], 302)
        return pages.consent(
            client=self._client(parameters),
            redirect_uri=self._redirect_uri(parameters),
            ticket=self._asked.keep(parameters),
            message=message,
            username=username,
        )

    def _decided(self, parameters: Pairs, form: Mapping[str, str]) -> Answer:
        if form.get("decision") == "deny":
            return self._denied(parameters)
        username = form.get("username", "")
        if form.get("decision") != "approve" or not self._accounts.verify(username, form.get("password", "")):
            return self._ask(parameters, message="Wrong user name or password.", username=username)
        return self._approved(parameters, username)

    def _approved(self, parameters: Pairs, username: str) -> Answer:
        try:
            headers, _, _ = self._server.create_authorization_response(
                oauth.address("authorize", parameters), credentials={"user": username}
            )
        except errors.FatalClientError as error:  # the client has changed since the page was shown
            return pages.error(400, _reason(error))
        return pages.redirect(303, headers["Location"])

    def _denied(self, parameters: Pairs) -> Answer:
        try:
            self._server.validate_authorization_request(oauth.address("authorize", parameters))
        except errors.OAuth2Error as error:
            return pages.error(400, _reason(error))
        return self._sent_back(parameters, [("error", "access_denied")], 303)

    def _sent_back(self, parameters: Pairs, facts: list[tuple[str, Any]], status: int) -> Answer:
        """Redirect with an error; only ever to an address that oauthlib has found to be the client's."""
        known = dict(parameters)
        facts = [(name, value) for name, value in [*facts, ("state", known.get("state"))] if value]
        is_implicit = known.get("response_type") == "token"
        return pages.redirect(status, add_params_to_uri(self._redirect_uri(parameters), facts, fragment=is_implicit))

    def _redirect_uri(self, parameters: Pairs) -> str:
        return str(dict(parameters).get("redirect_uri") or self._client(parameters)["callbackUrl"])

    def _client(self, parameters: Pairs) -> dict[str, Any]:
        return self._accounts.clients.by_key(dict(parameters)["client_id"]) or {"callbackUrl": ""}


class _Asked:
    """The requests whose page is shown: each ticket is good for one post, for ten minutes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: collections.OrderedDict[str, tuple[float, Pairs]] = collections.OrderedDict()

    def keep(self, parameters: Pairs) -> str:
        """Return a fresh ticket for a request."""
        ticket = secrets.token_urlsafe(24)
        with self._lock:
            self._waiting[ticket] = (self._clock.now() + _FORM_TTL_S, parameters)
            while len(self._waiting) > _MOST_FORMS:
                self._waiting.popitem(last=False)
        return ticket

    def take(self, ticket: str) -> Pairs | None:
        """Return the request a ticket was made for, once."""
        with self._lock:
            expires, parameters = self._waiting.pop(ticket, (0.0, None))
        return parameters if self._clock.now() < expires else None


def _is_own_page(headers: Mapping[str, str], own_origin: str) -> bool:
    """Return whether a form is ours, as far as the browser tells; a program that is no browser tells nothing."""
    is_same_site = headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
    return is_same_site and headers.get("origin", own_origin).lower() == own_origin.lower()


def _reason(error: errors.OAuth2Error) -> str:
    return str(error.description or error.error)
