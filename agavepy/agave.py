"""The facade: ``from agavepy.agave import Agave``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from . import auth, environment, specs
from .cached import CachedSessions
from .client import Operation, Service
from .errors import AgaveError, AgaveException, AgavepyError, nearest
from .files.methods import FilesMethods
from .former_names import FormerNames
from .identity import environment_session
from .paths import redact
from .records import AttrDict
from .sessions import Cache, NoSession
from .tokens import Token

if TYPE_CHECKING:
    import os

    from .util import json_response as json_response
    from .util import with_refresh as with_refresh

__all__ = [
    "Agave",
    "AgaveError",
    "AgaveException",
    "AgavepyError",
    "AttrDict",
    "Operation",
    "Resource",
    "Service",
    "Token",
    "json_response",
    "load_resource",
    "with_refresh",
]

log = logging.getLogger("agavepy")

Resource = Service  # its name up to 1.0
environment.take_notice()  # here, since every program comes by

LOGIN_TIME_LIMIT_S = 300.0
DEFAULT_API_SERVER = "https://api.tacc.utexas.edu"
_NOT_COPIED = ("_connection", "_connecting", "_renewing", "_drift")
_PUBLIC = ("api_server", "tenant_id", "username", "client_name", "verify", "proxies", "resources")


def load_resource(api_server: str | None = None) -> dict[str, Mapping[str, Any]]:
    """
    Return all service documents, to be passed to many clients as ``Agave(resources=…)``.

    They are shared by the whole process: do not change them.

    :param api_server: accepted for programs that pass it; documents name no server.
    """
    return specs.load()


class Agave(FormerNames, FilesMethods, CachedSessions):
    """
    A client of one tenant: its services are attributes, their operations are methods.

    >>> ag = Agave(api_server="https://api.example.org", token="…")
    >>> ag.systems.list(limit=10)

    One client may be shared by many threads; many processes may share one session on disk (``save_configs``,
    ``load_configs``, ``restore``). An access token that is about to expire, or has, is renewed once for all of them.

    :param api_server: address of the tenant; its scheme and port are honoured.
    :param tenant_id: name of the tenant; ``init()`` finds its address.
    :param token: access token; alone it is used until it expires.
    :param refresh_token: with api_key and api_secret, renews the access token.
    :param username, password: of the user; alone they serve the clients service.
    :param api_key, api_secret: of an OAuth client; with username and password and without a token, a token is
        obtained at once.
    :param client_name: name of that OAuth client.
    :param token_username: user for whom an administrator's name and password obtain a token.
    :param token_callback: called with the new token as keywords whenever there is one.
    :param created_at, expires_in, expires_at: of the access token: seconds since the epoch, seconds, text.
    :param use_nonce: send no token; calls carry ``nonce=``.
    :param jwt, jwt_header_name: of a trusted service, sent in that header instead of a token.
    :param verify: True, False or the path of a CA certificate; None asks the environment: TAPIS_DEFAULT_VERIFY_SSL,
        REQUESTS_CA_BUNDLE, then True.
    :param proxies: as for requests; None asks the environment.
    :param resources: a folder of Swagger documents, or a dict of them, that add services or replace some.
    :param validate_bodies: what to do with a body that departs from its model: "off", "warn" or "error".
    :param unknown: any other keyword is ignored, as it always was.
    :raises AgaveError: an argument is no good.
    :raises AgaveHTTPError: the tenant did not give a token.
    """

    # Keyword, whether it is required, attribute, default: subclasses of earlier times copy the shape.
    PARAMS: ClassVar[list[tuple[str, bool, str, Any]]] = [
        *((name, False, name, None) for name in ("api_server", "tenant_id", "username", "password")),
        ("token", False, "_token", None),
        ("refresh_token", False, "_refresh_token", None),
        *((name, False, name, None) for name in ("api_key", "api_secret", "client_name", "token_username")),
        *((name, False, name, None) for name in ("token_callback", "created_at", "expires_in", "expires_at")),
        ("use_nonce", False, "use_nonce", False),
        ("jwt", False, "jwt", None),
        ("jwt_header_name", False, "header_name", None),
        *((name, False, name, None) for name in ("verify", "proxies", "resources")),
        ("validate_bodies", False, "_validate_bodies", "warn"),
    ]

    def __init__(
        self,
        *,
        api_server: str | None = None,
        tenant_id: str | None = None,
        token: str | None = None,
        refresh_token: str | None = None,
        username: str | None = None,
        password: str | None = None,
        api_key: str | None = None,
        api_secret: str | None = None,
        client_name: str | None = None,
        token_username: str | None = None,
        token_callback: Callable[..., Any] | None = None,
        created_at: Any = None,
        expires_in: Any = None,
        expires_at: Any = None,
        use_nonce: bool = False,
        jwt: str | None = None,
        jwt_header_name: str | None = None,
        verify: bool | str | None = None,
        proxies: Mapping[str, str] | None = None,
        resources: str | os.PathLike[str] | Mapping[str, Any] | None = None,
        validate_bodies: str = "warn",
        **unknown: Any,
    ) -> None:
        super().__init__(resources=resources, validate_bodies=validate_bodies)
        if token_callback is not None and not callable(token_callback):
            raise AgaveError("token_callback must be callable: it is called with the new token as keywords.")
        if jwt and not jwt_header_name:
            raise AgaveError("jwt needs jwt_header_name, the header in which the tenant expects it.")
        _note_unknown(unknown)
        self.api_server = api_server or (DEFAULT_API_SERVER if token else None)
        self.tenant_id, self.client_name = tenant_id, client_name
        self._token, self._refresh_token = token, refresh_token
        self.username, self.password = username, password
        self.api_key, self.api_secret = api_key, api_secret
        self.token_username, self.token_callback = token_username, token_callback
        self.created_at, self.expires_in, self.expires_at = created_at, expires_in, expires_at
        self.use_nonce, self.jwt, self.header_name = use_nonce, jwt, jwt_header_name
        self.verify = environment.verify() if verify is None else verify
        self.proxies, self.resources = proxies, resources
        self._cache = self._stand_in = None
        if self._can_buy_token() and self.api_server and not token and not jwt:
            self.buy_token()

    def __repr__(self) -> str:
        where = redact(self.api_server) if self.api_server else self.tenant_id
        return f"<{type(self).__name__} {where} as {self.username or 'nobody by name'}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # A pickle says where and who, and where the session stands; never how to get in.
        folder = str(self._cache.folder) if self._cache else None
        public = {name: getattr(self, name, None) for name in _PUBLIC}
        public["api_server"] = redact(self.api_server) if self.api_server else None
        if any("@" in address for address in (self.proxies or {}).values()):
            public["proxies"] = None  # they hold a password
        return _again, (type(self), public, folder)

    def __copy__(self) -> Agave:
        """
        Return a client of the same session, with connections of its own.

        Where the session is on disk, either goes on with what the other renewed; where it is not, a refresh token
        can be redeemed by one of them only, and the other needs a password then.
        """
        twin = type(self).__new__(type(self))
        own = {name for name, value in vars(self).items() if name in _NOT_COPIED or isinstance(value, Service)}
        vars(twin).update({name: value for name, value in vars(self).items() if name not in own}, _drift={})
        return twin

    def __deepcopy__(self, memo: Any) -> Agave:
        return self.__copy__()  # what it holds is text, or documents that the process shares

    @classmethod
    def restore(
        cls,
        api_key: str | None = None,
        client_name: str | None = None,
        tenant_id: str | None = None,
        token: str | None = None,
        api_server: str | None = None,
        cache_client: bool = True,
        username: str | None = None,
        **keywords: Any,
    ) -> Agave:
        """
        Return a client that is logged in: by the arguments, else by the TAPIS_* environment, else from the cache.

        :param api_key, client_name, tenant_id, username: which of the filed sessions; none: the current one.
        :param token: wins over TAPIS_TOKEN; with an address it needs neither environment nor cache.
        :param api_server: wins over TAPIS_BASE_URL; without a token it chooses a filed session too.
        :param cache_client: write renewed tokens back to the cache.
        :param keywords: further ones of ``Agave()``.
        :raises AgaveError: there is no session.
        """
        wanted: dict[str, Any] = {"api_key": api_key, "client_name": client_name, "tenant_id": tenant_id}
        wanted["username"] = username
        named = environment_session(token=token, api_server=api_server)
        if token and api_server:
            return cls(token=token, api_server=api_server, **wanted, **keywords)
        if any(wanted.values()):
            named = None
        if named and ("token" in named or {"api_key", "api_secret"} <= named.keys()):
            return cls(**{**named, **keywords})
        if token:
            raise AgaveError("restore(token=…) needs the address too: pass api_server=…, or set TAPIS_BASE_URL.")
        cache = Cache()
        # A name and a password alone answer the questions of a login; they do not stand in the way of a filed one.
        wanted |= {name: named[name] for name in ("api_server", "username")} if named else {"api_server": api_server}
        try:
            session = cache.find(**wanted)
        except NoSession:
            if named:
                return cls(**{**named, **keywords})
            raise
        return cls._restored(session, cache if cache_client else None, keywords)

    # Getting in

    def get_access_token(self) -> None:
        """Buy an access token, found in ``token`` then; name and password are asked for where not known."""
        from . import prompts

        with prompts.login(self):
            self.buy_token()

    def refresh_tokens(self) -> None:
        """Buy a new access token with the refresh token, to be found in ``token``."""
        self.refresh()

    def get_client_token(self) -> str:
        """
        Return an access token of the OAuth client itself, bought without a user (client_credentials).

        This session stays as it is: the token is for another client, ``Agave(api_server=…, token=…)``.

        :raises AgaveError: the key and the secret of the OAuth client are not known.
        """
        if not (self.api_key and self.api_secret):
            raise AgaveError("A token of an OAuth client takes its key and secret: pass api_key=… and api_secret=….")
        server = self._base_url("token")
        info = auth.client_grant(self._post, server, api_key=self.api_key, api_secret=self.api_secret)
        return str(info["access_token"])

    def login_with_browser(
        self, *, open_browser: Callable[[str], Any] | None = None, timeout_s: float = LOGIN_TIME_LIMIT_S
    ) -> str:
        """
        Return a new access token, after a login through the browser; name and password are typed there only.

        ``api_key`` has to be known; an OAuth client without a secret will do.

        :param open_browser: called with the address to open; None: the system's browser.
        :param timeout_s: seconds the user has for it.
        :raises AgaveError: the login was denied, or nobody came back in time.
        """
        from . import browser

        return browser.log_in(self, open_browser=open_browser, timeout_s=timeout_s)

    def logout(self) -> None:
        """
        Give the tokens back to the tenant and forget the session, here and in the files.

        It is forgotten in any case.

        :raises AgaveError: the tokens could not be given back, and are good until they expire.
        """
        from . import revocation

        revocation.log_out(self)

    def init(self, tenantsurl: str | None = None) -> None:
        """
        Set ``tenant_id`` and ``api_server``: each finds the other. With neither, shows the tenants and asks.

        :param tenantsurl: of the tenants service; None: TAPIS_TENANTS_URL, else the public one.
        :raises AgaveError: there is no such tenant; the text names those there are.
        """
        from . import tenants

        tenants.choose(self, tenantsurl)

    def list_tenants(self, tenantsurl: str | None = None) -> dict[str, dict[str, str]]:
        """Print the tenants; return their id, name and url by id."""
        from . import tenants

        found = tenants.list_tenants(tenantsurl, verify_ssl=self.verify, proxies=self.proxies)
        tenants.print_tenants(found)
        return {
            each["code"]: {"id": each["code"], "name": each.get("name", ""), "url": each["baseUrl"]} for each in found
        }

    # OAuth clients

    def clients_create(
        self,
        client_name: str | None = None,
        description: str | None = None,
        tenant_url: str | None = None,
        username: str | None = None,
        password: str | None = None,
        verify_ssl: bool | str | None = None,
        quiet: bool = False,
    ) -> dict[str, str]:
        """
        Make an OAuth client and use it from now on; return its ``api_key``, ``api_secret`` and ``client_name``.

        :param tenant_url, username, password, verify_ssl: take the place of what this client has; None keeps it.
        :param quiet: accepted for programs that pass it; nothing is printed.
        """
        from . import clients

        given = {"api_server": tenant_url, "username": username, "password": password, "verify": verify_ssl}
        vars(self).update({name: value for name, value in given.items() if value is not None})
        return clients.create(self, client_name, description)

    def clients_list(self) -> list[AttrDict]:
        """Print name and description of the user's OAuth clients; return them."""
        from . import clients

        return clients.show(self)

    def clients_delete(self, client_name: str | None = None) -> None:
        """Delete an OAuth client; None: that of this session."""
        from . import clients

        clients.delete(self, client_name)

    def clients_subscribe(
        self, api_name: str, api_version: str, api_provider: str, client_name: str | None = None
    ) -> None:
        """Subscribe an OAuth client to an API; None: that of this session."""
        from . import clients

        clients.subscribe(self, api_name, api_version, api_provider, client_name)

    def clients_subscriptions(self, client_name: str | None = None) -> list[AttrDict]:
        """Print what an OAuth client is subscribed to; return it."""
        from . import clients

        return clients.subscriptions(self, client_name)

    clients_subscribtions = clients_subscriptions  # as it has been spelt in programs since 0.8


def _note_unknown(keywords: Mapping[str, Any]) -> None:
    """Log the keywords that are ignored; one that looks like a slip, so that it is seen."""
    known = [name for name, *_ in Agave.PARAMS]
    for name in keywords:
        suggestion = nearest(name, known)
        log.log(logging.WARNING if suggestion else logging.DEBUG, "Agave() ignores the keyword %r.%s", name, suggestion)


def _again(kind: type[Agave], public: dict[str, Any], folder: str | None) -> Agave:
    client = kind(**public)
    if folder:
        cache = Cache(folder)
        try:
            named = {name: public[name] for name in ("tenant_id", "username", "client_name")}
            client._take_up(cache.find(**named), cache)
        except AgaveError as error:
            log.warning("The pickled client is not logged in here: %s", error)
    return client


def __getattr__(name: str) -> Any:
    if name in ("json_response", "with_refresh"):  # few ask for them
        from . import util

        return getattr(util, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
