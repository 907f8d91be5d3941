"""oauthlib's server side: its grants, and what it asks about the tenant's accounts on the way."""

from __future__ import annotations

import base64
import binascii
import logging
import re
import secrets
import types
import urllib.parse
from collections.abc import Iterable
from typing import Any

from oauthlib.oauth2 import (
    AuthorizationCodeGrant,
    AuthorizationEndpoint,
    BearerToken,
    ClientCredentialsGrant,
    ImplicitGrant,
    RefreshTokenGrant,
    RequestValidator,
    ResourceOwnerPasswordCredentialsGrant,
    RevocationEndpoint,
    TokenEndpoint,
)
from oauthlib.oauth2.rfc6749 import errors

from .accounts import Accounts
from .roles import IMPERSONATOR
from .tokens import Payment

# At DEBUG oauthlib writes the tokens and codes it issues into the log.
logging.getLogger("oauthlib.oauth2.rfc6749.grant_types").setLevel(logging.INFO)

SCOPE = "default"  # what the gateway answers whatever was asked for
IMPLICIT_TTL_S = 3600
GRANTS: dict[str, tuple[str, ...]] = {  # and the fields each needs
    "password": ("username", "password"),
    "refresh_token": ("refresh_token",),
    "authorization_code": ("code",),
    "client_credentials": (),
    "admin_password": ("username", "password", "token_username"),
}
_NEEDS_SECRET = ("password", "client_credentials", "admin_password")
_BAD_GRANT = "Provided Authorization Grant is invalid"
_PKCE = re.compile(r"[A-Za-z0-9._~-]{43,128}")  # RFC 7636 4.1 and 4.2
# RFC 8252 7.3: any port. By a pattern, not a parser: browsers and parsers differ about what a host is.
_LOOPBACK = re.compile(
    r"https?://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?([/?][A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?", re.IGNORECASE
)


class Server(AuthorizationEndpoint, TokenEndpoint, RevocationEndpoint):
    """The endpoints of oauthlib with the grants this tenant knows."""

    def __init__(self, accounts: Accounts) -> None:
        validator = _Validator(accounts)
        bearer = BearerToken(
            validator,
            token_generator=lambda request: secrets.token_hex(16),
            expires_in=lambda request: _lives_s(request, accounts.tokens.ttl_s),
        )
        code, implicit = AuthorizationCodeGrant(validator), ImplicitGrant(validator)
        code.custom_validators.pre_auth.append(validator.check_challenge)
        implicit.register_token_modifier(lambda token, handler, request: token | {"token_type": "bearer"})
        grants = {
            "password": ResourceOwnerPasswordCredentialsGrant(validator),
            "refresh_token": RefreshTokenGrant(validator),
            "authorization_code": code,
            "client_credentials": ClientCredentialsGrant(validator),
            "admin_password": _AdminPasswordGrant(validator),
        }
        for grant in grants.values():
            grant.custom_validators.pre_token.append(validator.check_request)
        types_ = {"code": code, "token": implicit}
        AuthorizationEndpoint.__init__(
            self, default_response_type="code", default_token_type=bearer, response_types=types_
        )
        TokenEndpoint.__init__(self, default_grant_type="password", default_token_type=bearer, grant_types=grants)
        RevocationEndpoint.__init__(self, validator)


def address(path: str, parameters: Iterable[tuple[str, str]] = ()) -> str:
    """Return the address oauthlib is shown: it refuses plain http, and ours is loopback only."""
    return f"https://sandbox.invalid/{path}?{form(parameters)}".rstrip("?")


def form(parameters: Iterable[tuple[str, str]]) -> str:
    """Return parameters urlencoded; empty ones are as good as left out, RFC 6749 3.1."""
    return urllib.parse.urlencode([(name, value) for name, value in parameters if value])


class _AdminPasswordGrant(ResourceOwnerPasswordCredentialsGrant):
    """``admin_password``: an administrator's name and password, for the tokens of another user."""

    def validate_token_request(self, request: Any) -> None:
        for check in self.custom_validators.pre_token:
            check(request)
        self.request_validator.validate_admin(request)
        self.validate_grant_type(request)
        self.validate_scopes(request)


class _Validator(RequestValidator):
    """What oauthlib asks while it walks through a grant."""

    def __init__(self, accounts: Accounts) -> None:
        super().__init__()
        self._accounts = accounts
        self._tokens = accounts.tokens
        self._codes = accounts.tokens.codes

    # At /token and /revoke: who asks

    def check_request(self, request: Any) -> None:
        """Refuse, in the gateway's words and order: the grant type, the client, what is missing."""
        if not request.grant_type:
            raise errors.InvalidRequestError("Missing parameters: grant_type", request=request)
        if request.grant_type not in GRANTS:
            raise errors.UnsupportedGrantTypeError(f"Unsupported grant_type value: {request.grant_type}")
        self._authenticate(request)
        missing = [name for name in GRANTS[request.grant_type] if not getattr(request, name, None)]
        if missing:
            raise errors.InvalidRequestError(f"Missing parameters: {', '.join(missing)}", request=request)

    def client_authentication_required(self, request: Any, *args: Any, **kwargs: Any) -> bool:
        """Programs on people's own machines cannot keep a secret: these show PKCE, or a token so obtained."""
        return request.grant_type in _NEEDS_SECRET or not _is_public(request)

    def authenticate_client(self, request: Any, *args: Any, **kwargs: Any) -> bool:
        key, secret = _client_credentials(request)
        return self._identified(key, request, is_valid=self._accounts.clients.verify(key, secret))

    def authenticate_client_id(self, client_id: str, request: Any, *args: Any, **kwargs: Any) -> bool:
        key, _ = _client_credentials(request)
        return self._identified(key, request, is_valid=self._accounts.clients.by_key(key) is not None)

    def _authenticate(self, request: Any) -> None:
        if self.client_authentication_required(request):
            self.authenticate_client(request)
        else:
            self.authenticate_client_id(request.client_id, request)

    def _identified(self, key: str, request: Any, *, is_valid: bool) -> bool:
        if not is_valid:
            reason = f"A valid OAuth client could not be found for client_id: {key}"
            raise errors.InvalidClientError(reason, request=request)
        request.client = types.SimpleNamespace(client_id=key)
        request.client_id = key
        return True

    # At /token: what is shown

    def validate_user(self, username: str, password: str, client: Any, request: Any, *args: Any, **kw: Any) -> bool:
        if not self._accounts.verify(username, password):
            raise errors.InvalidGrantError(_BAD_GRANT, request=request)
        request.user = username
        return True

    def validate_admin(self, request: Any) -> None:
        """Take an impersonator's password for the user they name; everybody else's is refused as a wrong one is."""
        self.validate_user(request.username, request.password, request.client, request)
        if not self._impersonates(request.username, request.token_username):
            raise errors.InvalidGrantError(_BAD_GRANT, request=request)
        request.user = request.token_username

    def _impersonates(self, name: str, other: str) -> bool:
        """Return whether one user may act as another: no impersonator becomes an administrator by it."""
        if self._accounts.is_admin(name):
            return self._accounts.exists(other)
        is_allowed = IMPERSONATOR in self._accounts.roles.of(name)
        return is_allowed and self._accounts.exists(other) and not self._has_powers(other)

    def _has_powers(self, name: str) -> bool:
        return self._accounts.is_admin(name) or bool(self._accounts.roles.of(name))

    def validate_grant_type(
        self, client_id: str, grant_type: str, client: Any, request: Any, *a: Any, **k: Any
    ) -> bool:
        if grant_type == "client_credentials":
            owner = self._accounts.clients.by_key(client_id)
            request.user = owner["owner"] if owner else None
        return grant_type in GRANTS

    def validate_refresh_token(self, refresh_token: str, client: Any, request: Any, *args: Any, **kwargs: Any) -> bool:
        grant = self._tokens.find_refresh(refresh_token)
        if grant is None or grant["client"] != client.client_id:
            raise errors.InvalidGrantError(_BAD_GRANT, request=request)
        _check_secret_shown(grant, request)
        request.user = grant["user"]
        return True

    def validate_code(self, client_id: str, code: str, client: Any, request: Any, *args: Any, **kwargs: Any) -> bool:
        known = self._codes.find(code)
        if known is None or known["client"] != client_id:
            raise errors.InvalidGrantError(_BAD_GRANT, request=request)
        if not self._codes.is_usable(known):
            self._tokens.revoke_given_for(code)
            raise errors.InvalidGrantError(_BAD_GRANT, request=request)
        _check_verifier(known, request)
        request.user, request.code_facts = known["user"], known
        return True

    def is_pkce_required(self, client_id: str, request: Any) -> bool:
        return request.grant_type == "authorization_code" and _is_public(request)

    def get_code_challenge(self, code: str, request: Any) -> Any:
        return request.code_facts["challenge"]

    def get_code_challenge_method(self, code: str, request: Any) -> Any:
        return request.code_facts["method"]

    def confirm_redirect_uri(
        self, client_id: str, code: str, redirect_uri: str, client: Any, request: Any, *args: Any, **kwargs: Any
    ) -> bool:
        return bool(request.code_facts["redirect_uri"] == redirect_uri)

    def invalidate_authorization_code(self, client_id: str, code: str, request: Any, *args: Any, **kw: Any) -> None:
        """Nothing is left to do: the code was spent as the tokens were kept."""

    # At /authorize

    def check_challenge(self, request: Any) -> dict[str, Any]:
        """Refuse a PKCE challenge that no verifier could meet."""
        if request.code_challenge and not _PKCE.fullmatch(request.code_challenge):
            raise errors.InvalidRequestError(
                "code_challenge must be 43 to 128 letters, digits or . _ ~ -", request=request
            )
        return {}

    def validate_client_id(self, client_id: str, request: Any, *args: Any, **kwargs: Any) -> bool:
        client = self._accounts.clients.by_key(client_id)
        request.client = types.SimpleNamespace(client_id=client_id)
        return client is not None

    def validate_redirect_uri(self, client_id: str, redirect_uri: str, request: Any, *args: Any, **kw: Any) -> bool:
        own = self.get_default_redirect_uri(client_id, request)
        if redirect_uri != own and not _LOOPBACK.fullmatch(redirect_uri):
            known = f"this client's callbackUrl ({own})" if own else "a callbackUrl, of which this client has none,"
            raise errors.MismatchingRedirectURIError(
                f"redirect_uri is {redirect_uri}, which is neither {known} nor a loopback address "
                "(http://127.0.0.1:PORT/…).",
                request=request,
            )
        return True

    def get_default_redirect_uri(self, client_id: str, request: Any, *args: Any, **kwargs: Any) -> str | None:
        client = self._accounts.clients.by_key(client_id)
        return client["callbackUrl"] or None if client else None

    def validate_response_type(self, client_id: str, response_type: str, client: Any, request: Any, *a: Any) -> bool:
        if response_type not in ("code", "token"):
            raise errors.UnsupportedResponseTypeError(request=request)
        return True

    # Scopes: programs ask for PRODUCTION, some for nothing; there is only one

    def get_default_scopes(self, client_id: str, request: Any, *args: Any, **kwargs: Any) -> list[str]:
        return [SCOPE]

    def validate_scopes(self, client_id: str, scopes: Any, client: Any, request: Any, *a: Any, **k: Any) -> bool:
        request.scopes = [SCOPE]
        return True

    def get_original_scopes(self, refresh_token: str, request: Any, *args: Any, **kwargs: Any) -> list[str]:
        return [SCOPE]

    def is_within_original_scope(self, scopes: Any, refresh_token: str, request: Any, *a: Any, **k: Any) -> bool:
        return True

    # What is kept

    def save_authorization_code(self, client_id: str, code: dict[str, Any], request: Any, *a: Any, **kw: Any) -> None:
        self._codes.keep(
            code["code"],
            user=request.user,
            client=client_id,
            redirect_uri=request.redirect_uri,
            challenge=request.code_challenge,
            method=request.code_challenge_method if request.code_challenge else None,
        )

    def rotate_refresh_token(self, request: Any) -> bool:
        return True

    def save_bearer_token(self, token: dict[str, Any], request: Any, *args: Any, **kwargs: Any) -> None:
        """Keep the new tokens; of several requests that show one refresh token or code, the first alone gets some."""
        is_kept = self._tokens.issue(
            request.user,
            request.client.client_id,
            access=token["access_token"],
            refresh=token.get("refresh_token"),
            lives_s=token["expires_in"],
            is_public=request.grant_type == "authorization_code" and _is_public(request),
            spend=_payment(request),
        )
        if not is_kept:
            raise errors.InvalidGrantError(_BAD_GRANT, request=request)

    def revoke_token(self, token: str, token_type_hint: str, request: Any, *args: Any, **kwargs: Any) -> None:
        grant = self._tokens.find(token)
        if grant is not None and grant["client"] == request.client.client_id:
            _check_secret_shown(grant, request)
            self._tokens.revoke(token)


def _check_secret_shown(grant: dict[str, Any], request: Any) -> None:
    if _is_public(request) and not grant.get("public"):
        raise errors.InvalidClientError("This token was obtained with the client's secret: show it", request=request)


def _check_verifier(code: dict[str, Any], request: Any) -> None:
    verifier = request.code_verifier
    # A verifier without a challenge: somebody has taken the challenge out of the first request, RFC 9700 4.8.2.
    if verifier and not (code["challenge"] and _PKCE.fullmatch(verifier)):
        raise errors.InvalidGrantError(_BAD_GRANT, request=request)


def _payment(request: Any) -> Payment:
    """Return what the grant itself takes; another grant may carry the field without having had it checked."""
    if request.grant_type == "refresh_token":
        return Payment(refresh=request.refresh_token)
    return Payment(code=request.code) if request.grant_type == "authorization_code" else Payment()


def _is_public(request: Any) -> bool:
    """Return whether the client names itself and shows no secret; programs also send Basic with an empty one."""
    key, secret = _client_credentials(request)
    return bool(key) and not secret


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


def _lives_s(request: Any, ttl_s: int) -> int:
    return min(IMPLICIT_TTL_S, ttl_s) if request.response_type == "token" else ttl_s
