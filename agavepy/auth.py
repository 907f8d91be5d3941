"""How a request says who is calling, and how a token is obtained."""

from __future__ import annotations

import ipaddress
import urllib.parse
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .errors import AgaveError

if TYPE_CHECKING:
    import requests

SCOPE = "PRODUCTION"

Auth = Callable[["requests.PreparedRequest"], "requests.PreparedRequest"]
Post = Callable[[str, Mapping[str, str], str, Auth], "requests.Response"]  # url, headers, form body, auth


def bearer(token: str) -> Auth:
    """Return the auth that spends an access token."""
    return header("Authorization", f"Bearer {token}")


def basic(username: str, password: str) -> Auth:
    """Return the auth of a name and a password (RFC 7617)."""
    import base64

    pair = base64.b64encode(f"{username}:{password}".encode()).decode()
    return header("Authorization", f"Basic {pair}")


def header(name: str, value: str) -> Auth:
    """Return the auth that sends ``value`` in a header: the JWT of a trusted service, for one."""

    def add(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers[name] = value
        return request

    return add


def password_grant(
    post: Post,
    api_server: str,
    *,
    api_key: str,
    api_secret: str,
    username: str,
    password: str,
) -> dict[str, Any]:
    """
    Return a token bought with a user's password: ``access_token``, ``refresh_token``, ``expires_in`` (seconds), ….

    :param post: sends the form and returns the answer of a success.
    :raises AgaveError: the server would see the password in clear text, or its answer is not a token.

    Source: RFC 6749, 4.3; POST {api_server}/token.
    """
    from oauthlib.oauth2 import LegacyApplicationClient, OAuth2Error

    url = _token_url(api_server)
    client = LegacyApplicationClient(client_id=api_key)
    form = client.prepare_request_body(username=username, password=password, scope=SCOPE)
    response = post(url, {"Content-Type": "application/x-www-form-urlencoded"}, form, basic(api_key, api_secret))
    nonsense = AgaveError(f"{url} answered {response.status_code} with something that is not a token.")
    try:
        info = dict(client.parse_request_body_response(response.text))
    except (OAuth2Error, ValueError) as error:
        raise nonsense from error
    if not info["access_token"]:
        raise nonsense
    return info


def _token_url(api_server: str) -> str:
    url = f"{api_server.rstrip('/')}/token"
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" and not _is_loopback(parts.hostname or ""):
        raise AgaveError(f"{api_server} is not https: a password is sent in clear text to this machine only.")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
