"""Logging out: tokens given back to the tenant, the session forgotten."""

from __future__ import annotations

import contextlib
from typing import Any

from . import auth
from .errors import AgaveError, AgavepyError
from .renewal import TURN, filed_as
from .sessions import Session


def log_out(ag: Any) -> None:
    """
    Give the tokens of a client back, then forget the session: in the client, in the files and in the keyring.

    :raises AgaveError: the tokens could not be given back; the session is forgotten all the same.
    """
    cache = ag._cache
    with cache.locked(TURN) if cache else contextlib.nullcontext():  # nobody renews what we give back
        held = ag._session()
        try:
            problem = _give_back(ag, (filed_as(cache, held) if cache else None) or held)
        finally:
            _forget(ag)
            if cache:
                cache.forget(held)
    if problem:
        raise AgaveError(
            "The session is forgotten here, but its tokens were not given back and are good until they expire:"
            f" {problem}"
        )


def _give_back(ag: Any, session: Session) -> str:
    """Return why it did not work, or an empty text."""
    tokens = [token for token in (session.refresh_token, session.token) if token]
    if tokens and not session.api_key:
        return "that takes the OAuth client by which they were obtained, which is not known."
    try:
        for token in tokens:
            auth.revoke(
                ag._post,
                ag._base_url("revoke"),
                api_key=str(session.api_key),
                api_secret=session.api_secret,
                token=token,
            )
    except (AgavepyError, OSError) as error:  # OSError: all that requests raises
        return str(error)
    return ""


def _forget(ag: Any) -> None:
    ag._token = ag._refresh_token = ag._cache = ag._filed_token = None
    ag.created_at = ag.expires_in = ag.expires_at = None
    ag.password = None  # with it the next call would log in again
