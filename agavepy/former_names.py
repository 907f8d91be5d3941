"""Attributes and methods of earlier clients that programs still use; what they did is done elsewhere now."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .agave import Agave


class Computed:
    """An attribute that is found out when it is read, and that a program or a subclass may set all the same."""

    def __init__(self, find: Callable[[Any], Any]) -> None:
        self._find = find
        self.__doc__ = find.__doc__

    def __get__(self, ag: Any, kind: Any = None) -> Any:
        return self if ag is None else self._find(ag)


class FormerNames:
    """What outsiders read and call on a client."""

    @Computed
    def host(ag: Agave) -> str:  # noqa: N805
        """Name and port of the tenant's server."""
        return urllib.parse.urlsplit(ag.api_server or "").netloc

    @Computed
    def all(ag: Agave) -> Agave | None:  # noqa: N805
        """The services that take a token; None without one."""
        return ag if ag._token or ag.jwt or ag.use_nonce else None

    @Computed
    def clients_resource(ag: Agave) -> Agave | None:  # noqa: N805
        """The service that takes name and password; None without them."""
        return ag if ag.username and ag.password else None

    @Computed
    def expiration(ag: Agave) -> int | None:  # noqa: N805
        """When the access token expires, in seconds since the epoch."""
        deadline = ag._session().deadline
        return None if deadline is None else int(deadline)

    @Computed
    def can_refresh(ag: Agave) -> bool:  # noqa: N805
        """Whether the access token can be renewed."""
        return ag._can_renew()

    def refresh_aris(self) -> None:
        """Do nothing: a call looks at the credentials when it is made."""

    def set_client(self, key: str, secret: str) -> None:
        """Go on with another OAuth client; without a token, buy one."""
        ag: Any = self
        ag.api_key, ag.api_secret = key, secret
        if not ag._token:
            ag.buy_token()

    def to_dict(self) -> dict[str, Any]:
        """Return the session as keywords of ``Agave()``, without password and JWT."""
        names = ("username", "token_username", "api_server", "tenant_id", "client_name", "api_key", "api_secret")
        known = {name: getattr(self, name) for name in (*names, "use_nonce", "verify", "proxies")}
        ag: Any = self
        known |= {"token": ag._token, "refresh_token": ag._refresh_token}
        return known | {name: getattr(self, name) for name in ("expires_in", "expires_at", "created_at")}
