"""OAuth clients: the key and secret with which a program asks for tokens, and the APIs these may use."""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from . import prompts
from .errors import AgaveError
from .identity import BUYS_TOKEN
from .paths import without_login
from .records import AttrDict

if TYPE_CHECKING:
    from .http_errors import AgaveHTTPError

_ADJECTIVES = (
    "amber brisk calm daring eager fair gentle hardy keen lucid merry noble placid quick ready sturdy tidy vivid"
)
_NOUNS = (
    "agave aspen badger cedar comet falcon fern heron juniper lynx maple otter pebble raven sage thistle willow wren"
)


class Made(dict[str, str]):
    """``api_key``, ``api_secret`` and ``client_name`` of a new OAuth client; shown without the secret."""

    def __repr__(self) -> str:
        return repr({**self, "api_secret": "…"})


def create(ag: Any, name: str | None = None, description: str | None = None) -> dict[str, str]:
    """
    Make a client and let ``ag`` go on with it; return its ``api_key``, ``api_secret`` and ``client_name``.

    No token is asked for yet.

    :param name: unique for the user; None makes one up, such as ``keen-otter-4711``.
    :raises AgaveHTTPError: the server refused: a wrong password, a name that is taken.
    :raises AgaveError: it did not give a key and a secret.
    """
    name = name or made_up_name()
    with as_user(ag, name), _without_token():
        body = {"clientName": name, "description": description or "", "tier": "Unlimited", "callbackUrl": ""}
        made = ag.clients.create(body=body)
    key, secret = (_text(made, field) for field in ("consumerKey", "consumerSecret"))
    if not key or not secret:
        raise AgaveError(
            f"{without_login(ag.api_server)} answered without a key and a secret for the new OAuth client {name!r}."
        )
    ag.api_key, ag.api_secret, ag.client_name = key, secret, _text(made, "name") or name
    return Made(api_key=key, api_secret=secret, client_name=ag.client_name)


def show(ag: Any) -> list[AttrDict]:
    """Print the user's clients as a table of names and descriptions; return their records."""
    with as_user(ag):
        found = _records(ag.clients.list(), "clients.list")
    prompts.print_table(("NAME", "DESCRIPTION"), ([each.get("name"), each.get("description")] for each in found))
    return found


def delete(ag: Any, name: str | None = None) -> None:
    """
    Delete a client, by default that of the session; ``ag`` then forgets its name, key and secret.

    Servers say that a client there is not was deleted too.

    :raises AgaveError: the session has none, and no name is given.
    """
    name = name or _of_session(ag, "clients_delete")
    with as_user(ag, name):
        ag.clients.delete(clientName=name)
    if name == ag.client_name:
        ag.api_key = ag.api_secret = ag.client_name = None


def subscribe(ag: Any, api_name: str, api_version: str, api_provider: str, client_name: str | None = None) -> None:
    """
    Let tokens of a client, by default that of the session, use one more API.

    :param api_name: ``*`` stands for all.
    :param api_version: such as ``v2``.
    :param api_provider: who published the API, usually ``admin``.
    """
    name = client_name or _of_session(ag, "clients_subscribe")
    body = {"apiName": api_name, "apiVersion": api_version, "apiProvider": api_provider}
    with as_user(ag, name):
        ag.clients.addSubscriptionForClient(clientName=name, body=body)


def subscriptions(ag: Any, client_name: str | None = None) -> list[AttrDict]:
    """Print the APIs that tokens of a client, by default that of the session, may use; return their records."""
    name = client_name or _of_session(ag, "clients_subscriptions")
    with as_user(ag, name):
        answer = ag.clients.listSubscriptionsForClient(clientName=name)
    found = _records(answer, "clients.listSubscriptionsForClient")
    fields = ("apiName", "apiVersion", "apiProvider")
    prompts.print_table(("NAME", "VERSION", "PROVIDER"), ([each.get(field) for field in fields] for each in found))
    return found


@contextlib.contextmanager
def as_user(ag: Any, client_name: str = "") -> Iterator[None]:
    """Have a name and a password for the block, and say of a refusal what can be done."""
    from .http_errors import AgaveHTTPError, from_response

    with prompts.login(ag):
        try:
            yield
        except AgaveHTTPError as error:
            hint = _hint(error, str(ag.username), client_name)
            if not hint:
                raise
            raise from_response(error.response, error.operation, hint=hint) from error


def _hint(error: AgaveHTTPError, username: str, client_name: str) -> str:
    # The service answers nearly everything with status 400; how it is worded depends on the gateway behind it.
    if re.search(r"(?i)duplicate|already exists", error.message):
        return f"Choose another name, or delete that client first: ag.clients_delete({client_name!r})."
    if re.search(r"(?i)application not found", error.message):
        return f"You have no OAuth client {client_name!r}: ag.clients_list() shows those you have."
    if prompts.is_refused_login(error):
        return f"Are {username!r} and the password right? TAPIS_USERNAME and TAPIS_PASSWORD count where none is passed."
    return ""


@contextlib.contextmanager
def _without_token() -> Iterator[None]:
    before = BUYS_TOKEN.set(False)
    try:
        yield
    finally:
        BUYS_TOKEN.reset(before)


def _of_session(ag: Any, function: str) -> str:
    if not ag.client_name:
        raise AgaveError(f"{function}: which OAuth client? This session has none: pass a name of ag.clients_list().")
    return str(ag.client_name)


def made_up_name() -> str:
    """Return a name such as ``keen-otter-4711``."""
    adjective, noun = (secrets.choice(words.split()) for words in (_ADJECTIVES, _NOUNS))
    return f"{adjective}-{noun}-{secrets.randbelow(9000) + 1000}"


def _text(record: Any, field: str) -> str:
    value = record.get(field) if isinstance(record, dict) else None
    return value if isinstance(value, str) else ""


def _records(answer: Any, operation: str) -> list[AttrDict]:
    if not isinstance(answer, list) or not all(isinstance(each, AttrDict) for each in answer):
        raise AgaveError(f"{operation} did not answer with a list of records.")
    return answer
