"""``/token`` and ``/revoke``: oauthlib's server side over the tenant's accounts."""

from __future__ import annotations

import base64
import binascii
import json
import logging
import secrets
import types
import urllib.parse
from collections.abc import Mapping
from typing import Any

from oauthlib.oauth2 import LegacyApplicationServer, RequestValidator
from oauthlib.oauth2.rfc6749 import errors

from .accounts import Accounts
from .answers import Answer

# At DEBUG oauthlib writes the tokens it issues into the log.
logging.getLogger("oauthlib.oauth2.rfc6749.grant_types").setLevel(logging.INFO)

SCOPE = "default"  # what the gateway answers whatever was asked for
GRANTS = {"password": ("username", "password"), "refresh_token": ("refresh_token",)}
_NO_CACHE = {"cache-control": "no-store", "pragma": "no-cache"}
_BAD_GRANT = "Provided Authorization Grant is invalid"


class TokenEndpoint:
    """Grants and revokes tokens. A further password grant returns a further token: only fingerprints are kept."""

    def __init__(self, accounts: Accounts) -> None:
        self._validator = _Validator(accounts)
        self._server = LegacyApplicationServer(
            self._validator,
            token_generator=lambda request: secrets.token_hex(16),
            token_expires_in=accounts.tokens.ttl_s,
        )
        for grant in (self._server.password_grant, self._server.refresh_grant):
            grant.custom_validators.pre_token.append(self._validator.check_request)

    def token(self, method: str, headers: Mapping[str, str], form: Mapping[str, str]) -> Answer:
        """Answer a request to ``/token``."""
        try:
            _, body, status = self._server.create_token_response(*_request("token", method, headers, form))
        except errors.OAuth2Error as error:
            body, status = error.json, error.status_code
        return _answer(status, _token_document(json.loads(body)) if status == 200 else json.loads(body))

    def revoke(self, method: str, headers: Mapping[str, str], form: Mapping[str, str]) -> Answer:
        """Answer a request to ``/revoke``: 200 and nothing, also for a token nobody knows."""
        _, body, status = self._server.create_revocation_response(*_request("revoke", method, headers, form))
        return _answer(status, json.loads(body)) if body else Answer(status, headers=_NO_CACHE)


class _Validator(RequestValidator):
    """What oauthlib asks while it walks through a grant."""

    def __init__(self, accounts: Accounts) -> None:
        super().__init__()
        self._accounts = accounts

    def check_request(self, request: Any) -> None:
        """Refuse, in the gateway's words and order: the grant type, the client, what is missing."""
        if not request.grant_type:
            raise errors.InvalidRequestError("Missing parameters: grant_type", request=request)
        if request.grant_type not in GRANTS:
            raise errors.UnsupportedGrantTypeError(f"Unsupported grant_type value: {request.grant_type}")
        self.authenticate_client(request)
        missing = [name for name in GRANTS[request.grant_type] if not getattr(request, name, None)]
        if missing:
            raise errors.InvalidRequestError(f"Missing parameters: {', '.join(missing)}", request=request)

    def client_authentication_required(self, request: Any, *args: Any, **kwargs: Any) -> bool:
        return True

    def authenticate_client(self, request: Any, *args: Any, **kwargs: Any) -> bool:
        key, secret = _client_credentials(request)
        if not self._accounts.clients.verify(key, secret):
            reason = f"A valid OAuth client could not be found for client_id: {key}"
            raise errors.InvalidClientError(reason, request=request)
        request.client = types.SimpleNamespace(client_id=key)
        request.client_id = key
        return True

    def validate_user(self, username: str, password: str, client: Any, request: Any, *args: Any, **kw: Any) -> bool:
        if not self._accounts.verify(username, password):
            raise errors.InvalidGrantError(_BAD_GRANT, request=request)
        request.user = username
        return True

    def validate_grant_type(self, client_id: str, grant_type: str, client: Any, *args: Any, **kwargs: Any) -> bool:
        return grant_type in GRANTS

    def validate_refresh_token(self, refresh_token: str, client: Any, request: Any, *args: Any, **kwargs: Any) -> bool:
        user = self._accounts.tokens.refresh_user(refresh_token, client.client_id)
        if user is None:
            raise errors.InvalidGrantError(_BAD_GRANT, request=request)
        request.user = user
        return True

    def get_default_scopes(self, client_id: str, request: Any, *args: Any, **kwargs: Any) -> list[str]:
        return [SCOPE]

    def validate_scopes(self, client_id: str, scopes: Any, client: Any, request: Any, *a: Any, **k: Any) -> bool:
        return True  # programs ask for PRODUCTION, some for nothing; there is only one

    def get_original_scopes(self, refresh_token: str, request: Any, *args: Any, **kwargs: Any) -> list[str]:
        return [SCOPE]

    def is_within_original_scope(self, scopes: Any, refresh_token: str, request: Any, *a: Any, **k: Any) -> bool:
        return True

    def rotate_refresh_token(self, request: Any) -> bool:
        return True

    def save_bearer_token(self, token: dict[str, Any], request: Any, *args: Any, **kwargs: Any) -> None:
        """Keep the new pair; of several renewals with one refresh token, the first alone gets here."""
        pair = {"access": token["access_token"], "refresh": token["refresh_token"]}
        if not self._accounts.tokens.issue(request.user, request.client.client_id, **pair, spend=request.refresh_token):
            raise errors.InvalidGrantError(_BAD_GRANT, request=request)

    def revoke_token(self, token: str, token_type_hint: str, request: Any, *args: Any, **kwargs: Any) -> None:
        self._accounts.tokens.revoke(token, request.client.client_id)


def _client_credentials(request: Any) -> tuple[str, str]:
    """Return consumer key and secret, from HTTP Basic or from the form."""
    scheme, _, encoded = (request.headers.get("Authorization") or "").partition(" ")
    if scheme.lower() != "basic":
        return request.client_id or "", request.client_secret or ""
    try:
        key, _, secret = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return key, secret


def _request(
    path: str, method: str, headers: Mapping[str, str], form: Mapping[str, str]
) -> tuple[str, str, str, dict[str, str]]:
    # oauthlib refuses plain http; the address it is shown is not the one listened on, which is loopback only.
    address = f"https://sandbox.invalid/{path}"
    body = urllib.parse.urlencode([(name, value) for name, value in form.items() if value])
    return address, method, body, {"Authorization": headers.get("authorization", "")}


def _token_document(token: dict[str, Any]) -> dict[str, Any]:
    return {
        "scope": SCOPE,
        "token_type": "bearer",  # in lower case: command-line tools compare it exactly
        "expires_in": token["expires_in"],
        "refresh_token": token["refresh_token"],
        "access_token": token["access_token"],
    }


def _answer(status: int, document: Any) -> Answer:
    challenge = {"www-authenticate": 'Basic realm="Agave Platform"'} if status == 401 else {}
    return Answer(status, json.dumps(document, separators=(",", ":")).encode(), headers=_NO_CACHE | challenge)
