"""How a request says who is calling, and how tokens are obtained, renewed and given back."""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .errors import AgaveError
from .paths import redact

if TYPE_CHECKING:
    import requests

SCOPE = "PRODUCTION"
_EXPIRED_CODES = {"900901", "900903", "900904"}

Auth = Callable[["requests.PreparedRequest"], "requests.PreparedRequest"]
Post = Callable[[str, Mapping[str, str], str, "Auth | None"], "requests.Response"]  # url, headers, form body, auth


# Spending


class Bearer:
    """The auth of one call: asks for the token when the request is made ready, and remembers which one it spent."""

    def __init__(self, current_token: Callable[[], str]) -> None:
        self._current_token = current_token
        self.spent = ""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        self.spent = self._current_token()
        return header("Authorization", f"Bearer {self.spent}")(request)


def basic(username: str, password: str, *, server: str | None = None) -> Auth:
    """
    Return the auth of a name and a password (RFC 7617).

    :raises AgaveError: ``server`` would see the password in clear text.
    """
    import base64

    if server is not None:
        refuse_clear_text(server)

    pair = base64.b64encode(f"{username}:{password}".encode()).decode()
    return header("Authorization", f"Basic {pair}")


def header(name: str, value: str) -> Auth:
    """
    Return the auth that sends ``value`` in a header: the JWT of a trusted service, for one.

    :raises AgaveError: no header can hold it; the text does not show it.
    """
    if not value.isprintable() or not value.isascii():
        raise AgaveError(f"{name} would hold a line break or another character that no header may: strip() the secret.")

    def add(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers[name] = value
        return request

    return add


def says_expired(response: requests.Response) -> bool:
    """Tell whether the gateway says, in any of its forms, that a token is expired, revoked or unknown."""
    fault = _fault(response) if response.status_code == 401 else None
    return fault is not None and (fault[0] in _EXPIRED_CODES or "Invalid Credentials" in fault[1])


def may_mean_expired(response: requests.Response) -> bool:
    """Tell whether an answer is a 401 without the gateway's fault: expired, or "forbidden" said the old way."""
    return response.status_code == 401 and _fault(response) is None


def _fault(response: requests.Response) -> tuple[str, str] | None:
    """Return code and message of a gateway's fault, in JSON or XML."""
    body = _json(response)
    if isinstance(body, dict) and isinstance(body.get("fault"), dict):
        return str(body["fault"].get("code", "")), str(body["fault"].get("message", ""))
    found = re.search(rb"<[^<>]*fault[^<>]*>\s*<[^<>]+>\s*(\d+)\s*<", response.content[:4096])
    return (found.group(1).decode(), "") if found else None


def _json(response: requests.Response) -> Any:
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        return None


# Buying. Each returns what the server gave: access_token, expires_in (seconds) and, as a rule, refresh_token.


def password_grant(
    post: Post, api_server: str, *, api_key: str, api_secret: str, username: str, password: str
) -> dict[str, Any]:
    """
    Return a token bought with a user's password (RFC 6749, 4.3).

    :param post: sends the form and returns the answer of a success.
    :raises AgaveError: the server would see the password in clear text, or its answer is not a token.
    """
    form = {"username": username, "password": password, "scope": SCOPE}
    return _grant(post, api_server, "password", form, by=basic(api_key, api_secret))


def admin_grant(
    post: Post, api_server: str, *, api_key: str, api_secret: str, username: str, password: str, token_username: str
) -> dict[str, Any]:
    """Return a token with which an administrator acts as ``token_username``."""
    form = {"username": username, "password": password, "token_username": token_username, "scope": SCOPE}
    return _grant(post, api_server, "admin_password", form, by=basic(api_key, api_secret))


def refresh_grant(
    post: Post, api_server: str, *, api_key: str, api_secret: str | None, refresh_token: str
) -> dict[str, Any]:
    """Return a token bought with a refresh token, which can be redeemed once (RFC 6749, 6)."""
    form, by = _as_client(api_key, api_secret, {"refresh_token": refresh_token, "scope": SCOPE})
    return _grant(post, api_server, "refresh_token", form, by=by)


def client_grant(post: Post, api_server: str, *, api_key: str, api_secret: str) -> dict[str, Any]:
    """Return a token of the OAuth client itself, without a user and without a refresh token (RFC 6749, 4.4)."""
    return _grant(post, api_server, "client_credentials", {"scope": SCOPE}, by=basic(api_key, api_secret))


def code_grant(
    post: Post, api_server: str, *, api_key: str, api_secret: str | None, code: str, redirect_uri: str, verifier: str
) -> dict[str, Any]:
    """Return a token bought with the code of a login through the browser (RFC 6749, 4.1; RFC 7636)."""
    shown = {"code": code, "redirect_uri": redirect_uri, "code_verifier": verifier}
    form, by = _as_client(api_key, api_secret, shown)
    return _grant(post, api_server, "authorization_code", form, by=by)


def revoke(post: Post, api_server: str, *, api_key: str, api_secret: str | None, token: str) -> None:
    """Give a token back, and all that was bought with it (RFC 7009)."""
    form, by = _as_client(api_key, api_secret, {"token": token})
    post(endpoint(api_server, "revoke"), _FORM, urllib.parse.urlencode(form), by)


def _as_client(api_key: str, api_secret: str | None, form: Mapping[str, str]) -> tuple[dict[str, str], Auth | None]:
    """Return form and auth of an OAuth client; one without a secret names itself in the form (RFC 6749, 2.3.1)."""
    if api_secret:
        return dict(form), basic(api_key, api_secret)
    return {**form, "client_id": api_key}, None


_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def _grant(post: Post, api_server: str, kind: str, form: Mapping[str, str], *, by: Auth | None) -> dict[str, Any]:
    from oauthlib.oauth2 import OAuth2Error
    from oauthlib.oauth2.rfc6749.parameters import parse_token_response

    url = endpoint(api_server, "token")
    response = post(url, _FORM, urllib.parse.urlencode({"grant_type": kind, **form}), by)
    nonsense = AgaveError(f"{redact(url)} answered {response.status_code} with something that is not a token.")
    try:
        info = dict(parse_token_response(response.text))
    except (OAuth2Error, ValueError) as error:
        raise nonsense from error
    if not info["access_token"]:
        raise nonsense
    return info


def endpoint(api_server: str, name: str) -> str:
    """
    Return the address of ``token``, ``revoke`` or ``authorize``.

    :raises AgaveError: a password would be sent there in clear text.
    """
    refuse_clear_text(api_server)
    return f"{api_server.rstrip('/')}/{name}"


def refuse_clear_text(server: str) -> None:
    """Raise AgaveError where a password would be sent in clear text, except to this machine."""
    parts = urllib.parse.urlsplit(server)
    if parts.scheme.lower() != "https" and not is_loopback(parts.hostname or ""):
        raise AgaveError(f"{redact(server)} is not https: a password is sent in clear text to this machine only.")


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is this machine."""
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
