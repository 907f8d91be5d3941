"""Who calls, and how that stays so: credentials, tokens that renew themselves, sessions on disk."""

from __future__ import annotations

import logging
import os
import threading
import time
import urllib.parse
from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from . import auth
from .client import Client
from .errors import AgaveError, AgavepyError
from .paths import is_address, without_login
from .records import AttrDict
from .sessions import Cache, Session, from_file
from .specs import OperationSpec
from .tokens import Life, Token, info_of, jitter, session_with

if TYPE_CHECKING:
    import requests

    from .renewal import Place, Renewal
    from .transport import Request, Transport

log = logging.getLogger("agavepy")

LOG_IN = "Log in: run 'agavepy login', or pass token=…, or username, password, api_key and api_secret, to Agave()."
_MOST_REPLAYS = 5  # of one call; each because the token was replaced meanwhile, at most one renewal being its own
_SAID_OF_EVERY_TOKEN = {"token_type": "bearer", "scope": "default"}  # whatever was asked for; files do not keep it
_PAUSE_S = 30.0  # after an early renewal that failed


# False where an OAuth client is made without a token being asked for yet: in clients_create().
BUYS_TOKEN: ContextVar[bool] = ContextVar("BUYS_TOKEN", default=True)


class Identity(Client):
    """A client that knows who it is. Its attributes may be changed by programs at any time."""

    # What a client that was never initialised, or not completely, is taken to be
    api_server: str | None = None
    username: str | None = None
    password: str | None = None
    api_key: str | None = None
    api_secret: str | None = None
    tenant_id: str | None = None
    client_name: str | None = None
    token_username: str | None = None
    token_callback: Any = None
    use_nonce: bool = False
    jwt: str | None = None
    header_name: str | None = None
    created_at: Any = None
    expires_in: Any = None
    expires_at: Any = None
    verify: Any = None
    proxies: Mapping[str, str] | None = None
    _token: str | None = None
    _refresh_token: str | None = None
    _stand_in: Any = None  # what the tests of programs set as ``token``
    _cache: Cache | None = None  # where the session stands on disk, if it does
    _filed_token: str | None = None  # which stood there when we last looked
    _known_life: tuple[Any, Life] | None = None
    _renewing: Renewal | None = None
    _connection: tuple[Any, Transport] | None = None
    _early_renewal_after = 0.0
    _jitter = 1.0
    _now = staticmethod(time.time)

    # Tokens

    @property
    def token(self) -> Token | None:
        """Return the access token, a text with ``token_info``, ``refresh()`` and ``create()``; None without one."""
        if self._stand_in is not None:
            return self._stand_in  # type: ignore[no-any-return]
        return Token(self._token, self) if self._token else None  # type: ignore[arg-type]

    @token.setter
    def token(self, value: str | None) -> None:
        if value is None or isinstance(value, str):
            self._token, self._stand_in = value, None
        else:
            self._stand_in = value

    @token.deleter
    def token(self) -> None:
        self._stand_in = None

    @property
    def refresh_token(self) -> str | None:
        """Return the refresh token, or None."""
        return self._refresh_token

    @refresh_token.setter
    def refresh_token(self, value: str | None) -> None:
        self._refresh_token = value

    def token_info(self) -> dict[str, Any]:
        """Return ``access_token``, ``refresh_token``, ``expires_in`` (seconds), ``created_at``, … as far as known."""
        return {**_SAID_OF_EVERY_TOKEN, **info_of(self._session())}

    def tokens(self) -> dict[str, Any]:
        """Return the access and refresh token, None where there is none, and their times as far as known."""
        return {"access_token": self._token, "refresh_token": self._refresh_token, **self.token_info()}

    def buy_token(self) -> str:
        """
        Return a new access token, bought with the password, or by an administrator for ``token_username``.

        :raises AgaveError: something that this takes is not known.
        :raises AgaveHTTPError: the server refused.
        """
        asked_at = self._now()
        renewed = session_with(self._session(), self._bought_with_password(), now=asked_at)
        self._go_on_with(renewed)
        self._file()
        self._tell()
        return str(self._token)

    def refresh(self) -> str | None:
        """
        Return a new access token, bought with the refresh token; a client with nothing but a token keeps that.

        :raises AgaveError: the session cannot be renewed.
        :raises AgaveHTTPError: the server refused.
        """
        if self._can_renew():
            self._renewal().replace(self._token)
        elif not self._token or self._refresh_token:
            raise AgaveError(f"The token cannot be renewed: the key of its OAuth client is not known. {LOG_IN}")
        return self._token

    def _can_renew(self) -> bool:
        # A public client has no secret; its refresh token comes from a login through the browser.
        return bool(self.api_key and self._refresh_token) or self._can_buy_token()

    def _can_buy_token(self) -> bool:
        return bool(self.api_key and self.api_secret and self.username and self.password)

    def _bought_with_password(self) -> dict[str, Any]:
        known = {name: getattr(self, name) for name in ("api_key", "api_secret", "username", "password")}
        missing = [name for name, value in known.items() if not value]
        if missing:
            raise AgaveError(
                f"A token takes {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not known."
                " clients_create() makes an OAuth client, whose key and secret are then known."
            )
        if self.token_username:
            return auth.admin_grant(self._post, self._base_url("token"), token_username=self.token_username, **known)
        return auth.password_grant(self._post, self._base_url("token"), **known)

    def _bought(self, session: Session) -> dict[str, Any]:
        """Buy with the refresh token; with the password where there is none, or where it is no longer good."""
        from .renewal import redeem

        if not session.refresh_token or self.token_username:
            return self._bought_with_password()
        try:
            return redeem(self._post, session)
        except AgavepyError:
            if not self._can_buy_token():
                raise
            return self._bought_with_password()

    def _session(self) -> Session:
        known = {name: getattr(self, name) for name in ("tenant_id", "api_server", "username", "client_name")}
        known |= {"api_key": self.api_key, "api_secret": self.api_secret}
        known |= {"token": self._token, "refresh_token": self._refresh_token, "created_at": self.created_at}
        return from_file({**known, "expires_in": self.expires_in, "expires_at": self.expires_at})

    def _adopt(self, session: Session) -> None:
        """Go on with the tokens of a session that the files have, if there are any; tell who asked to be told."""
        self._go_on_with(session)
        self._filed_token = session.token
        self._tell()

    def _go_on_with(self, session: Session) -> None:
        self._token, self._refresh_token = session.token, session.refresh_token
        info = info_of(session)
        self.created_at, self.expires_in = info.get("created_at"), session.expires_in
        self.expires_at = info.get("expires_at")
        times = self.created_at, self.expires_in, self.expires_at
        self._known_life = times, Life(session.created_at, session.deadline)  # the times themselves are whole seconds
        self._jitter = jitter()

    def _tell(self) -> None:
        if self.token_callback:
            self.token_callback(**self.token_info())

    # Sessions on disk

    def save_configs(self, cache_dir: str | os.PathLike[str] | None = None) -> None:
        """
        File the session in ``config.json`` and ``current``; from then on renewals are written there.

        :param cache_dir: folder; None: TAPIS_CACHE_DIR, AGAVE_CACHE_DIR or ``~/.agave``.
        :raises AgaveError: the folder cannot be written.
        """
        cache = Cache(cache_dir, now=self._now)
        with cache.locked():
            self._take_newer(cache)
            cache.save(self._session())
        self._cache, self._filed_token = cache, self._token

    def _take_newer(self, cache: Cache) -> None:
        """Go on with the tokens that another process filed since we looked: ours were used up by that."""
        if self._cache is not None and self._cache.folder == cache.folder and self._filed_token == self._token:
            from .renewal import filed_as

            stored = filed_as(cache, self._session())
            if stored is not None and stored.token and stored.token != self._token:
                self._adopt(stored)

    def load_configs(
        self,
        cache_dir: str | os.PathLike[str] | None = None,
        tenant_id: str | None = None,
        username: str | None = None,
        client_name: str | None = None,
    ) -> None:
        """
        Take up a session that was filed; without any criterion the current one.

        :raises AgaveError: there is none.
        """
        cache = Cache(cache_dir, now=self._now)
        self._take_up(cache.find(tenant_id=tenant_id, username=username, client_name=client_name), cache)

    def _take_up(self, session: Session, cache: Cache | None) -> None:
        for name in ("tenant_id", "api_server", "username", "client_name", "api_key", "api_secret"):
            setattr(self, name, getattr(session, name))
        self._token, self._refresh_token = session.token, session.refresh_token
        self.created_at, self.expires_in, self.expires_at = session.created_at, session.expires_in, session.expires_at
        self._jitter, self._cache, self._filed_token = jitter(), cache, session.token

    def _file(self) -> None:
        """Write new tokens where the session stands; one that cannot be written is still good in this process."""
        if self._cache is not None:
            try:
                self._cache.update(self._session())
                self._filed_token = self._token
            except AgaveError as error:
                log.warning("The new token is not filed: %s", error)

    def _where(self) -> Place | None:
        from .renewal import Place

        if self._cache is None or self.token_username:
            return None
        return Place(self._cache, self.verify, self.proxies, seen=self._filed_token)

    # Calls

    def _send(self, request: Request) -> requests.Response:
        response = self._transport().send(request)
        if response.status_code >= 400:
            response = self._sent_again(request, response)
        if response.status_code >= 300 and response.status_code != 304:  # 304: as the caller's own headers asked
            raise self._error(request, response)
        return response

    def _sent_again(self, request: Request, response: requests.Response) -> requests.Response:
        """Return the answer to the same request with a new token, where the old one was the reason."""
        is_bought = False
        for _ in range(_MOST_REPLAYS):
            by = request.auth
            if not isinstance(by, auth.Bearer) or not self._is_about_the_token(response):
                break
            if by.spent == self._token:  # no other thread replaced it meanwhile
                if is_bought or not self._can_renew():
                    break
                is_bought = self._renewed(by.spent, request, response)
            self._rewind(request)
            response = self._transport().send(request)
        return response

    def _is_about_the_token(self, response: requests.Response) -> bool:
        if auth.says_expired(response):
            return True
        if not auth.may_mean_expired(response):
            return False
        life, now = self._life(), self._now()
        return life.is_over(now) or not life.is_fresh(now)

    def _renewed(self, spent: str, request: Request, response: requests.Response) -> bool:
        """Have another token than ``spent``; tell whether it was bought for this call."""
        try:
            return self._renewal().replace(spent)
        except (AgavepyError, OSError) as error:  # OSError: all that requests raises
            reason = str(error) if str(error).endswith((".", "?")) else f"{error}."
            raise self._error(request, response, hint=f"The token could not be renewed: {reason} {LOG_IN}") from error

    def _rewind(self, request: Request) -> None:
        from .transport import rewind

        try:
            rewind(request)
        except OSError as error:
            raise AgaveError(f"{request.operation}: the token had expired and is renewed now, but {error}.") from error

    def _error(self, request: Request, response: requests.Response, *, hint: str = "") -> AgavepyError:
        from .http_errors import from_response

        if not hint and isinstance(request.auth, auth.Bearer) and self._is_about_the_token(response):
            hint = LOG_IN
        return from_response(response, request.operation, hint=hint)

    def _current_token(self) -> str:
        """Return the token to spend now, renewed where its end is near."""
        spent = str(self._token)
        now = self._now()
        if self._life().is_due(now, jitter=self._jitter) and now >= self._early_renewal_after and self._can_renew():
            try:
                self._renewal().replace(spent)
            except (AgavepyError, OSError) as error:  # the token may still be good: the server decides
                self._early_renewal_after = now + _PAUSE_S
                log.warning("The token is about to expire and was not renewed: %s", error)
        return str(self._token)

    def _life(self) -> Life:
        times = self.created_at, self.expires_in, self.expires_at
        known = self._known_life
        if known is None or known[0] != times:
            session = self._session()
            known = self._known_life = (times, Life(session.created_at, session.deadline))
        return known[1]

    def _base_url(self, operation: str) -> str:
        if not self.api_server:
            raise AgaveError(f"{operation}: which tenant? Pass api_server='https://…' to Agave(), or call init().")
        if not is_address(str(self.api_server)) or {"?", "#"}.intersection(self.api_server):
            shown = without_login(str(self.api_server))
            raise AgaveError(
                f"api_server={shown!r}: an address begins with https:// (or http://) and a host; a port is a number."
            )
        return str(self.api_server).rstrip("/")

    def _auth(self, operation: OperationSpec) -> auth.Auth | None:
        if operation.security == "none" or self.use_nonce:
            return None
        if operation.security == "basic":
            return self._basic_auth(operation)
        if self.jwt and self.header_name:
            return auth.header(self.header_name, self.jwt)
        if not self._token and self._can_renew():
            self.refresh() if self._refresh_token else self.buy_token()
        if not self._token:
            raise AgaveError(f"{operation.name}: not logged in at {without_login(str(self.api_server))}. {LOG_IN}")
        return auth.Bearer(self._current_token)

    def _basic_auth(self, operation: OperationSpec) -> auth.Auth:
        if not self.username or not self.password:
            raise AgaveError(
                f"{operation.name} asks for a name and a password: pass username=… and password=… to Agave()."
            )
        return auth.basic(self.username, self.password, server=self._base_url(operation.name))

    def _answered(self, operation: OperationSpec, result: Any) -> None:
        # A client that was just created is from now on the one we log in with.
        if operation.name == "clients.create" and isinstance(result, AttrDict) and "consumerSecret" in result:
            self.api_key, self.api_secret = result.consumerKey, result.consumerSecret
            self.client_name = result.get("name", self.client_name)
            if BUYS_TOKEN.get():
                self.buy_token()

    def geturl(self, url: str) -> requests.Response:
        """
        Return what is at a URL, whatever the status; one of this tenant is asked for with the token.

        :raises requests.exceptions.RequestException: the network failed.
        """
        import requests.utils

        from .transport import Request

        transport = self._transport()
        quoted = requests.utils.requote_uri(urllib.parse.urljoin(f"{self._base_url('geturl')}/", url))
        by = auth.Bearer(self._current_token) if self._token and transport.is_home(quoted) else None
        return transport.send(Request("geturl", "GET", quoted, {"Accept": "*/*"}, auth=by, is_bounded=False))

    # The machinery behind

    def _post(self, url: str, headers: Mapping[str, str], form: str, by: auth.Auth | None) -> requests.Response:
        from .renewal import transport_post

        return transport_post(self._transport())(url, headers, form, by)

    def _renewal(self) -> Renewal:
        if self._renewing is None:
            from .renewal import Renewal

            made = Renewal(
                held=self._session,
                adopt=self._adopt,
                buy=self._bought,
                has_password=self._can_buy_token,
                place=self._where,
                now=lambda: self._now(),
            )
            vars(self).setdefault("_renewing", made)  # threads that come first together get the same
        assert self._renewing is not None
        return self._renewing

    def _transport(self) -> Transport:
        """Return the transport for the present address and settings; programs may change them at any time."""
        settings = (self._base_url("transport"), self.verify, tuple((self.proxies or {}).items()), self.proxies is None)
        connection = self._connection
        if connection is None or connection[0] != settings:
            connection = self._connect(settings)
        return connection[1]

    def _connect(self, settings: Any) -> tuple[Any, Transport]:
        from .transport import Transport

        with vars(self).setdefault("_connecting", threading.Lock()):
            if self._connection is None or self._connection[0] != settings:
                self._connection = (settings, Transport(settings[0], verify=self.verify, proxies=self.proxies))
            return self._connection

    def close(self) -> None:
        """Give the connections back; the client can still be used and opens new ones."""
        connection, self._connection = self._connection, None
        if connection:
            connection[1].close()


def environment_session(*, token: str | None = None, api_server: str | None = None) -> dict[str, Any] | None:
    """
    Return what the TAPIS_* variables say as keywords of ``Agave()``, or None where they name no login.

    :param token, api_server: known already; each wins over its variable.
    """
    names = {
        "api_server": "TAPIS_BASE_URL",
        "token": "TAPIS_TOKEN",
        "refresh_token": "TAPIS_REFRESH_TOKEN",
        "api_key": "TAPIS_API_KEY",
        "api_secret": "TAPIS_API_SECRET",
        "username": "TAPIS_USERNAME",
        "password": "TAPIS_PASSWORD",
        "tenant_id": "TAPIS_TENANT_ID",
    }
    found = {ours: os.environ[theirs] for ours, theirs in names.items() if os.environ.get(theirs)}
    if token:
        found["token"] = token
        found.pop("refresh_token", None)  # of another token
    if api_server:
        found["api_server"] = api_server
    has_login = "token" in found or {"username", "password"} <= found.keys()
    return found if "api_server" in found and has_login else None
