"""
The system's keyring: where the secrets of a session are kept, if that is asked for.

The files then hold references such as ``keyring:agavepy/TENANT/USER/CLIENT/access_token``: the service is ``agavepy``,
the rest is the account, each part of it quoted as in a URL.
"""

from __future__ import annotations

import os
import sys
import urllib.parse
from collections.abc import Iterable
from typing import Any

from .errors import AgaveError

SERVICE = "agavepy"
# In the order they are written: a crash after the first leaves a session that can still be renewed.
FIELDS = {"refresh_token": "refresh_token", "token": "access_token", "api_secret": "apisecret"}
_PREFIX = f"keyring:{SERVICE}/"


def is_wanted() -> bool:
    """Tell whether AGAVEPY_KEYRING asks for the keyring."""
    return os.environ.get("AGAVEPY_KEYRING", "").strip().lower() in ("1", "true", "yes")


def reference(*place: str | None) -> str:
    """Return the reference to a secret: tenant, user, client, field."""
    return _PREFIX + "/".join(urllib.parse.quote(part or "", safe="@") for part in place)


def is_reference(value: Any) -> bool:
    """Tell whether a value of the files stands for a secret in the keyring."""
    return isinstance(value, str) and value.startswith(_PREFIX)


def read(name: str) -> str:
    """
    Return the secret a reference stands for.

    :raises AgaveError: the keyring has none, or cannot be used.
    """
    secret = _asked("get_password", name)
    if secret is None:
        raise AgaveError(f"The keyring has no entry for {name}, which a session refers to. Run 'agavepy login'.")
    return str(secret)


def write(name: str, secret: str) -> None:
    """Keep a secret under its reference.

    :raises AgaveError: the keyring cannot be used.
    """
    _asked("set_password", name, secret)


def delete(names: Iterable[str]) -> None:
    """Delete secrets, as far as they are there.

    :raises AgaveError: the keyring cannot be used.
    """
    for name in names:
        if _asked("get_password", name) is not None:
            _asked("delete_password", name)


def check() -> None:
    """
    See to it that the keyring keeps what it is given, before a refresh token is spent.

    :raises AgaveError: it does not.
    """
    probe = reference("probe", os.urandom(8).hex())
    write(probe, "kept")
    if _asked("get_password", probe) != "kept":
        raise _unusable("it forgets what it is given")
    delete([probe])


def environment() -> dict[str, str]:
    """Return the environment in which another process uses the same keyring as this one."""
    used = sys.modules.get("keyring")
    if used is None:
        return dict(os.environ)
    kind = type(used.get_keyring())
    return {**os.environ, "PYTHON_KEYRING_BACKEND": f"{kind.__module__}.{kind.__qualname__}"}


def _asked(action: str, name: str, *more: str) -> Any:
    try:
        import keyring
    except ImportError as error:
        raise AgaveError(
            "Secrets of this session belong in the system's keyring, which takes the library keyring:"
            ' pip install "agavepy[keyring]".'
        ) from error
    try:
        return getattr(keyring, action)(SERVICE, name.removeprefix(_PREFIX), *more)
    except Exception as error:  # a backend raises what it likes
        raise _unusable(_reason(error)) from error


def _unusable(reason: str) -> AgaveError:
    return AgaveError(
        f"The system's keyring cannot be used: {reason}."
        " Unlock it, choose another (python -m keyring --help), or log in without AGAVEPY_KEYRING."
    )


def _reason(error: Exception) -> str:
    # The first sentence: what follows is advice on configuring the library.
    return (str(error).strip().partition("\n")[0].partition(". ")[0] or type(error).__name__).rstrip(".")
