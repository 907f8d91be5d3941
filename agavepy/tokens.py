"""The access token as programs see it, and how long it lives."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from .sessions import Session, number

if TYPE_CHECKING:
    from .agave import Agave

EARLY_S = 60.0  # clocks differ, and a call takes its time
_EARLY_SHARE = 0.1  # of a life that is shorter than that
_FRESH_S = 30.0
_INFO = ("access_token", "refresh_token", "expires_in", "expires_at", "created_at")


class _OfClient:
    """An attribute that a token shares with its client."""

    def __init__(self, what: str) -> None:
        self.__doc__ = f"{what[0].upper()}{what[1:]}; that of the client."

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, token: Any, kind: Any = None) -> Any:
        return self if token is None else getattr(token._agave, self._name)

    def __set__(self, token: Any, value: Any) -> None:
        setattr(token._agave, self._name, value)


class Token(str):
    """
    An access token: text, and what programs ask it for.

    ``token_info`` is what the server gave, with ``created_at`` and ``expiration`` (whole seconds since the epoch) and
    ``expires_at`` (text). :meth:`refresh` and :meth:`create` return the new access token.
    """

    _agave: Agave

    def __new__(cls, text: str, agave: Agave) -> Token:
        token = super().__new__(cls, text)
        token._agave = agave
        return token

    def __repr__(self) -> str:
        return repr(str(self))

    def __deepcopy__(self, memo: Any) -> Token:
        return self  # text does not change

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a token is not pickled: it would let anybody in who reads the pickle")

    api_server = _OfClient("address of the tenant")
    username = _OfClient("whose token it is")
    password = _OfClient("with which :meth:`create` buys a token")
    api_key = _OfClient("key of the OAuth client")
    api_secret = _OfClient("secret of the OAuth client")
    token_username = _OfClient("user for whom an administrator buys it")
    verify = _OfClient("how certificates are checked")

    @property
    def parent(self) -> Agave:
        """Return the client."""
        return self._agave

    @property
    def token_url(self) -> str:
        """Return the address at which it is bought."""
        return f"{str(self.api_server).rstrip('/')}/token"

    @property
    def token_info(self) -> dict[str, Any]:
        """Return the token with its refresh token and times; None where they are not known."""
        return {**dict.fromkeys(_INFO), **self._agave.token_info()}

    def create(self) -> str:
        """Buy a new token with the password."""
        return self._agave.buy_token()

    def refresh(self) -> str | None:
        """Renew the token with its refresh token."""
        return self._agave.refresh()


class Life(NamedTuple):
    """When a token was obtained and when it ends, in seconds since the epoch; None where it is not known."""

    created_at: float | None
    deadline: float | None

    def is_due(self, now: float, *, jitter: float) -> bool:
        """Tell whether it is time to renew: a minute early, or a tenth of a shorter life."""
        if self.deadline is None:
            return False
        lifetime = self.deadline - self.created_at if self.created_at is not None else EARLY_S / _EARLY_SHARE
        return now >= self.deadline - min(EARLY_S, lifetime * _EARLY_SHARE) * jitter

    def is_over(self, now: float) -> bool:
        """Tell whether the token has expired."""
        return self.deadline is not None and now >= self.deadline

    def is_fresh(self, now: float) -> bool:
        """Tell whether it was obtained just now: a server that refuses it means something else."""
        # -1: the files round up to whole seconds.
        return self.created_at is not None and -1 <= now - self.created_at < _FRESH_S


def jitter() -> float:
    """Return a factor near 1 that spreads the renewals of many processes."""
    import random

    return random.uniform(0.7, 1.0)  # noqa: S311 - spreads, guards nothing


def session_with(session: Session, info: dict[str, Any], *, now: float) -> Session:
    """Return the session with the token that a grant gave at ``now``."""
    return session._replace(
        token=info["access_token"],
        refresh_token=info.get("refresh_token") or session.refresh_token,
        created_at=now,
        expires_in=number(info.get("expires_in")),
        expires_at=None,
    )


def info_of(session: Session) -> dict[str, Any]:
    """Return a session's token in the form of ``token_info``."""
    info = {"access_token": session.token, "refresh_token": session.refresh_token, "expires_in": session.expires_in}
    if session.created_at is not None:
        info["created_at"] = int(session.created_at)
    deadline = session.deadline
    if deadline is not None:
        info |= {"expiration": int(deadline), "expires_at": time.ctime(deadline)}
    return {name: value for name, value in info.items() if value is not None}
