"""``/token`` and ``/revoke``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from oauthlib.oauth2.rfc6749 import errors

from . import oauth
from .answers import Answer

NO_CACHE = {"cache-control": "no-store", "pragma": "no-cache"}
# oauthlib takes every field for one of its own, "user" among them: only these reach it.
_FIELDS = {
    *("grant_type", "username", "password", "token_username", "refresh_token", "scope", "token", "token_type_hint"),
    *("code", "redirect_uri", "code_verifier", "client_id", "client_secret"),
}


class TokenEndpoint:
    """Grants and revokes tokens. A further password grant returns a further token: only fingerprints are kept."""

    def __init__(self, server: oauth.Server) -> None:
        self._server = server

    def token(self, method: str, headers: Mapping[str, str], form: Mapping[str, str]) -> Answer:
        """Answer a request to ``/token``."""
        try:
            _, body, status = self._server.create_token_response(*_request("token", method, headers, form))
        except errors.OAuth2Error as error:
            body, status = error.json, error.status_code
        return _answer(status, _token_document(json.loads(body)) if status == 200 else json.loads(body))

    def revoke(self, method: str, headers: Mapping[str, str], form: Mapping[str, str]) -> Answer:
        """Answer a request to ``/revoke``: 200 and nothing, also for a token nobody knows."""
        try:
            _, body, status = self._server.create_revocation_response(*_request("revoke", method, headers, form))
        except errors.OAuth2Error as error:
            body, status = error.json, error.status_code
        return _answer(status, json.loads(body)) if body else Answer(status, headers=NO_CACHE)


def _request(
    path: str, method: str, headers: Mapping[str, str], form: Mapping[str, str]
) -> tuple[str, str, str, dict[str, str]]:
    body = oauth.form((name, value) for name, value in form.items() if name in _FIELDS)
    return oauth.address(path), method, body, {"Authorization": headers.get("authorization", "")}


def _token_document(token: dict[str, Any]) -> dict[str, Any]:
    refresh = {"refresh_token": token["refresh_token"]} if "refresh_token" in token else {}
    return {
        "scope": oauth.SCOPE,
        "token_type": "bearer",  # in lower case: command-line tools compare it exactly
        "expires_in": token["expires_in"],
        **refresh,
        "access_token": token["access_token"],
    }


def _answer(status: int, document: Any) -> Answer:
    challenge = {"www-authenticate": 'Basic realm="Agave Platform"'} if status == 401 else {}
    return Answer(status, json.dumps(document, separators=(",", ":")).encode(), headers=NO_CACHE | challenge)
