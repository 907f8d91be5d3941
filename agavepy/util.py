"""Functions that programs import from here since 1.0, and from :mod:`agavepy.agave` since 0.7."""

from __future__ import annotations

import functools
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import auth
from .clients import made_up_name
from .records import AttrDict

if TYPE_CHECKING:
    from .agave import Agave

__all__ = ["AttrDict", "clients_url", "json_response", "random_client_name", "with_refresh"]


def json_response(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that gives the parsed body of the answer that ``function`` gives, or raises its HTTPError."""

    @functools.wraps(function)
    def parsed(*arguments: Any, **keywords: Any) -> Any:
        response = function(*arguments, **keywords)
        response.raise_for_status()
        return response.json()

    return parsed


def with_refresh(client: Agave, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    """
    Return what ``function`` returns; once more, with a new token, where the gateway says that the old one expired.

    For requests that a program sends itself; operations do so of themselves.

    :param client: its token is renewed.
    :raises requests.exceptions.HTTPError: of the last try.
    """
    from requests.exceptions import HTTPError

    try:
        return function(*arguments, **keywords)
    except HTTPError as error:
        if error.response is None or not auth.says_expired(error.response):
            raise
        client.refresh()
        return function(*arguments, **keywords)


def clients_url(tenant_url: str) -> str:
    """Return the address of a tenant's clients service."""
    return f"{tenant_url.rstrip('/')}/clients/v2"


def random_client_name(words: int = 3, letters: int = 6, hostname: bool = False) -> str:
    """
    Return a name for an OAuth client that can be read and spoken.

    :param words, letters: accepted for programs that pass them.
    :param hostname: put the name of this machine in front.
    """
    name = made_up_name()
    return f"{socket.gethostname().lower()}-{name}" if hostname else name
